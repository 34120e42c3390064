import type { PatchOp } from "../data/types";
import { plural } from "../lib/words";
import css from "./Patch.module.css";

const words: Record<string, string> = { add: "added", remove: "removed", replace: "changed", move: "moved", copy: "copied" };
const marks: Record<string, string> = { add: "+", remove: "−", replace: "~", move: "→", copy: "→" };
const shownAtMost = 500;

/** The changes of a document by JSON Pointer. */
export function Patch({ patch }: { patch: PatchOp[] }) {
  if (patch.length === 0) return <p className={css.none}>The content is the same.</p>;
  return (
    <>
      <ul className={css.list} aria-label="Changes by JSON Pointer">
        {patch.slice(0, shownAtMost).map((op, i) => (
          <li key={`${i}${op.path}`} className={css.op}>
            <span className={css.word}>
              <span className={css.mark} aria-hidden="true">
                {marks[op.op] ?? "~"}
              </span>
              {words[op.op] ?? op.op}
            </span>
            <code className={css.path}>{op.path || "(the whole document)"}</code>
            <span className={css.values}>
              {op.from ? <code>from {op.from}</code> : null}
              {op.old !== undefined ? (
                <del>
                  <code>{op.old}</code>
                </del>
              ) : null}
              {op.value !== undefined ? (
                <ins>
                  <code>{op.value}</code>
                </ins>
              ) : null}
            </span>
          </li>
        ))}
      </ul>
      {patch.length > shownAtMost ? (
        <p className={css.none}>{plural(patch.length - shownAtMost, "more change")}; the text diff shows them all.</p>
      ) : null}
    </>
  );
}
