import type { NodeFull } from "../../data/types";
import { short } from "../../lib/words";
import { StatusMark } from "../../parts/Glyph";
import css from "./Node.module.css";

/** Desired beside reported: the whole point of the page in one line. */
export function State({ node }: { node: NodeFull }) {
  const reported = node.reported;
  return (
    <div className={css.state}>
      <div className={css.side}>
        <span className={css.label}>Desired</span>
        <span className={css.big}>
          {node.desired?.revision ? `revision ${node.desired.revision}` : "nothing"}
        </span>
        <span className={`mono ${css.soft}`} title={node.desired?.manifest}>
          {short(node.desired?.manifest, 24) || "no document selects it"}
        </span>
      </div>
      <div className={css.side}>
        <span className={css.label}>Reported</span>
        <span className={css.big}>
          {node.kind === "instance" && !node.connected ? (
            <StatusMark status="offline" word={`does not answer${reported?.revision ? `, revision ${reported.revision} before` : ""}`} />
          ) : node.in_sync ? (
            <StatusMark status="acked" word={`in sync${reported?.revision ? `, revision ${reported.revision}` : ""}`} />
          ) : reported?.revision ? (
            `revision ${reported.revision}`
          ) : (
            "nothing yet"
          )}
        </span>
        <span className={`mono ${css.soft}`} title={reported?.manifest}>
          {short(reported?.manifest, 24) || "–"}
          {reported?.index ? ` at ${reported.epoch ?? 0}.${reported.index}` : ""}
        </span>
      </div>
    </div>
  );
}
