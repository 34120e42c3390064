import type { ReactNode } from "react";
import { number } from "../lib/words";
import { Button } from "./Button";
import css from "./Chosen.module.css";
import type { Selection } from "./selection";

/** What can be done with the chosen rows. It stands at the foot of the window while some are chosen. */
export function Chosen({ selection, children }: { selection: Selection; children: ReactNode }) {
  if (selection.ids.size === 0) return null;
  return (
    <div className={css.bar} role="region" aria-label="Chosen rows">
      <span>
        <strong>{number(selection.ids.size)}</strong> chosen
      </span>
      <Button kind="quiet" onClick={selection.clear}>
        Choose none
      </Button>
      <span className={css.space} />
      {children}
    </div>
  );
}
