import type { Problem } from "../../data/types";
import { plural } from "../../lib/words";
import css from "./Document.module.css";

export function Problems({ problems, label = "Problems" }: { problems: Problem[]; label?: string }) {
  if (problems.length === 0) return null;
  return (
    <ul className={css.problems} aria-label={label}>
      {problems.map((p) => (
        <li key={(p.document ?? "") + p.pointer + p.message}>
          <code>{[p.document, p.pointer || "/"].filter(Boolean).join(" ")}</code>
          <span>{p.message}</span>
        </li>
      ))}
    </ul>
  );
}

/** What is probably not meant, and hinders nothing. */
export function Warnings({ warnings, name }: { warnings: Problem[]; name: string }) {
  if (warnings.length === 0) return null;
  return (
    <div>
      <p className={css.warning}>{plural(warnings.length, "warning")}: it can be pushed all the same.</p>
      <Problems problems={warnings.map((w) => (w.document === name ? { ...w, document: undefined } : w))} label="Warnings" />
    </div>
  );
}
