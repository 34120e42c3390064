import { Link } from "@tanstack/react-router";
import type { Status, SyncAnswer } from "../../data/types";
import { failedFirst, type Outcome, outcome } from "../../lib/instances";
import { number } from "../../lib/words";
import { StatusMark } from "../../parts/Glyph";
import css from "./Instances.module.css";

const marks: Record<Outcome, [Status, string]> = {
  failed: ["dead_letter", "failed"],
  waiting: ["in_flight", "under way"],
  synced: ["acked", "in sync"],
};
const shownAtMost = 300;

/** One line each, the failed first, in the instance's own words. */
export function SyncResults({ answer }: { answer: SyncAnswer }) {
  const rows = failedFirst(answer.instances);
  const sums: [Outcome, number][] = [
    ["synced", answer.synced],
    ["failed", answer.failed],
    ["waiting", answer.waiting],
  ];
  return (
    <>
      <p className={css.sums} role="status">
        {sums.map(([what, n]) =>
          n > 0 ? <StatusMark key={what} status={marks[what][0]} word={`${number(n)} ${marks[what][1]}`} /> : null,
        )}
      </p>
      <ul className={css.results} tabIndex={0} aria-label="Results">
        {rows.slice(0, shownAtMost).map((r) => {
          const [status, word] = marks[outcome(r)];
          return (
            <li key={r.id}>
              <Link to="/nodes/$id" params={{ id: r.id }} className="mono">
                {r.id}
              </Link>
              <StatusMark status={status} word={r.error?.code === "not_wanted" ? "not wanted" : word} />
              {r.error ? (
                <p>
                  {r.error.message} <code>{r.error.code}</code>
                </p>
              ) : null}
            </li>
          );
        })}
      </ul>
      {rows.length > shownAtMost ? <p className={css.soft}>{number(rows.length - shownAtMost)} more are not shown; the registry has them.</p> : null}
    </>
  );
}
