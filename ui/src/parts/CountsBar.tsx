import type { ReactNode } from "react";
import { type Counts, type Status, statuses } from "../data/types";
import { number, statusWord } from "../lib/words";
import css from "./CountsBar.module.css";
import { Glyph } from "./Glyph";

interface Props {
  counts: Counts;
  total: number;
  current: string;
  /** A link that sets the filter; the counts are filters and the filter is in the URL. */
  link: (status: Status | "", className: string, pressed: boolean, children: ReactNode) => ReactNode;
}

const shown: readonly Status[] = [...statuses].reverse();

export function CountsBar({ counts, total, current, link }: Props) {
  return (
    <nav className={css.bar} aria-label="Filter by status">
      {link("", cellClass(current === "", total), current === "", <Cell word="all" count={total} />)}
      {shown.map((s) => (
        <span key={s}>
          {link(
            current === s ? "" : s,
            cellClass(current === s, counts?.[s] ?? 0),
            current === s,
            <Cell status={s} word={statusWord[s]} count={counts?.[s] ?? 0} />,
          )}
        </span>
      ))}
    </nav>
  );
}

function cellClass(pressed: boolean, count: number): string {
  return `${css.cell} ${pressed ? css.pressed : ""} ${count === 0 ? css.zero : ""}`;
}

function Cell({ status, word, count }: { status?: Status; word: string; count: number }) {
  return (
    <>
      <span className={css.count}>{number(count)}</span>
      <span className={css.word}>
        {status ? <Glyph status={status} /> : null}
        {word}
      </span>
    </>
  );
}
