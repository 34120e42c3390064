import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { whyQuery } from "../../data/fleet";
import type { NodeFull } from "../../data/types";
import { Section } from "../../parts/Page";
import { Prose } from "../../parts/Prose";
import { Loaded } from "../../parts/State";
import css from "./Node.module.css";

/** Why the node is in the state it is in, in the controller's words, and what to do next. */
export function WhyNow({ node }: { node: NodeFull }) {
  const query = useQuery(whyQuery(node.id));
  return (
    <Section title="Why">
      <Loaded query={query} rows={2}>
        {(why) => (
          <div className={css.why}>
            <p className={css.summary}><Prose text={why.summary} /></p>
            <ul className={css.reasons}>
              {(why.reasons ?? []).map((r) => (
                <li key={r.code + (r.document ?? "") + (r.pointer ?? "")}>
                  <span>
                    <Prose text={r.message} />{" "}
                    {r.document ? (
                      <Link to="/documents/$name" params={{ name: r.document }} className="mono">
                        {r.document}
                      </Link>
                    ) : null}{" "}
                    {r.pointer ? <code>{r.pointer}</code> : null}
                  </span>
                  {r.next ? <span className={css.next}>→ <Prose text={r.next} /></span> : null}
                </li>
              ))}
            </ul>
          </div>
        )}
      </Loaded>
    </Section>
  );
}
