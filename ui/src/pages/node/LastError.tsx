import type { NodeFull } from "../../data/types";
import { place, plural } from "../../lib/words";
import { Section } from "../../parts/Page";
import { Time } from "../../parts/Time";
import css from "./Node.module.css";

/** What the node itself said when it last refused or failed. */
export function LastError({ node }: { node: NodeFull }) {
  const error = node.last_error;
  // That an instance could not be called stands at the top already.
  if (!error || (node.kind === "instance" && !error.stage)) return null;
  return (
    <Section
      title="Last error"
      aside={
        <>
          {node.attempts ? plural(node.attempts, "attempt") : null}
          {error.at ? (
            <>
              {node.attempts ? " · " : ""}
              <Time at={error.at} />
            </>
          ) : null}
        </>
      }
    >
      <div className={css.error}>
        <p>{error.message}</p>
        <p className={css.next}>
          <code>{error.code}</code> {place(error)}
        </p>
        {error.log_tail ? (
          <pre className={css.log} tabIndex={0} aria-label="End of the log">
            {error.log_tail}
          </pre>
        ) : null}
      </div>
    </Section>
  );
}
