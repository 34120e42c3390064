import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { deadLetterCauses } from "../../data/deadletters";
import { number, place, plural } from "../../lib/words";
import { Button } from "../../parts/Button";
import { Section } from "../../parts/Page";
import { Loaded } from "../../parts/State";
import type { Selected, Verb } from "./ActDialog";
import css from "./DeadLetters.module.css";

interface Props {
  current?: string;
  act: (verb: Verb, what: Selected) => void;
  why?: string;
}

/** Dead letters by what they have in common: fix one cause, retry all that it hit. */
export function Causes({ current, act, why }: Props) {
  const query = useQuery(deadLetterCauses());
  if (!query.error && !query.data?.length) return null;
  return (
    <Section title="Causes" aside={query.data ? plural(query.data.length, "cause") : null}>
      <Loaded query={query} rows={2}>
        {(causes) => (
          <ul className={css.causes}>
            {causes.map((c) => {
              const on = c.cause === current;
              const these: Selected = { filter: { cause: c.cause } };
              return (
                <li key={c.cause} data-current={on || undefined}>
                  <span className={css.count}>{number(c.count)} ×</span>
                  <div className={css.said}>
                    <p className={css.words}>{c.message || c.code}</p>
                    <p className={css.soft}>
                      <code>{c.code}</code> {place(c)}
                    </p>
                    <p className={css.soft}>
                      {c.nodes.map((id, i) => (
                        <span key={id}>
                          {i > 0 ? ", " : ""}
                          <Link to="/nodes/$id" params={{ id }} className="mono">
                            {id}
                          </Link>
                        </span>
                      ))}
                      {c.count > c.nodes.length ? ` and ${number(c.count - c.nodes.length)} more` : ""}
                    </p>
                  </div>
                  <div className={css.acts}>
                    <Link
                      to="/deadletters"
                      search={(s) => ({ ...s, cause: on ? undefined : c.cause })}
                      aria-label={on ? "Show all dead letters" : `Only these: ${c.message}`}
                      resetScroll={false}
                    >
                      {on ? "Show all" : "Only these"}
                    </Link>
                    <Button kind="quiet" why={why} aria-label={`Discard ${c.count}: ${c.message}`} onClick={() => act("discard", these)}>
                      Discard {number(c.count)}…
                    </Button>
                    <Button why={why} aria-label={`Retry ${c.count}: ${c.message}`} onClick={() => act("retry", these)}>
                      Retry {number(c.count)}…
                    </Button>
                  </div>
                </li>
              );
            })}
          </ul>
        )}
      </Loaded>
    </Section>
  );
}
