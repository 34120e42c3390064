import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { causesQuery } from "../../data/fleet";
import type { PushRow } from "../../data/types";
import { number, place, plural } from "../../lib/words";
import { Section } from "../../parts/Page";
import { Loaded } from "../../parts/State";
import css from "./Push.module.css";

/** Failures by what they have in common: "57 × nextHop must be IPv4". Nothing is shown while nothing fails. */
export function Causes({ push, current }: { push: PushRow; current?: string }) {
  const query = useQuery(causesQuery(push.id));
  if (!query.error && !query.data?.length) return null;
  return (
    <Section title="Causes" aside={query.data ? plural(query.data.length, "cause") : null}>
      <Loaded query={query} rows={2}>
        {(causes) => (
          <ul className={css.causes}>
            {causes.map((c) => {
              const on = c.cause === current;
              return (
                <li key={c.cause} data-current={on || undefined}>
                  <span className={css.count}>{number(c.count)} ×</span>
                  <span className={css.words}>{c.message}</span>
                  <code className={css.place}>{place(c) || c.code}</code>
                  <span className={`mono ${css.nodes}`}>{c.nodes.join(", ")}</span>
                  <Link
                    to="/pushes/$id"
                    params={{ id: push.id }}
                    search={(s) => ({ ...s, cause: on ? undefined : c.cause })}
                    aria-label={on ? "Show all targets" : `Only these: ${c.message}`}
                    resetScroll={false}
                  >
                    {on ? "Show all" : "Only these"}
                  </Link>
                </li>
              );
            })}
          </ul>
        )}
      </Loaded>
    </Section>
  );
}
