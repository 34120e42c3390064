import type { NodeFull } from "../../data/types";
import { Section } from "../../parts/Page";
import { Time } from "../../parts/Time";
import css from "./Node.module.css";

/** Somebody else changed what the node holds. */
export function Drift({ node }: { node: NodeFull }) {
  const drift = node.drift;
  if (!drift || drift.targets.length === 0) return null;
  return (
    <Section
      title={drift.held ? "Drift, left as it is" : "Drift"}
      aside={
        drift.since ? (
          <>
            began <Time at={drift.since} />
          </>
        ) : null
      }
    >
      <div className={css.error}>
        <p>
          Somebody else changed{" "}
          {drift.targets.map((t, i) => (
            <span key={t}>
              {i > 0 ? ", " : ""}
              <code>{t}</code>
            </span>
          ))}{" "}
          on it.
        </p>
        <p className={css.next}>
          {drift.held
            ? "The policy of a document says to report this, or it was healed too often within an hour. Sync puts back what is wanted; put what the node holds into the document to keep it."
            : "It is put back by itself."}
        </p>
      </div>
    </Section>
  );
}
