import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { instanceList } from "../../data/instances";
import { groupBy, silence } from "../../lib/instances";
import { withTerm } from "../../lib/nodequery";
import { number, plural } from "../../lib/words";
import { Button } from "../../parts/Button";
import { Section } from "../../parts/Page";
import css from "./Instances.module.css";

const named = 8;

/** The instances that do not answer, by the reason; nothing while all do. */
export function Silent({ q, sync, why }: { q: string; sync: (ids: string[]) => void; why?: string }) {
  const { data } = useInfiniteQuery(instanceList(withTerm(withTerm(q, "connected", undefined), "connected", "false")));
  const silent = (data ?? []).filter((r) => !r.connected);
  if (silent.length === 0) return null;
  return (
    <Section title="Not answering" aside={`${plural(silent.length, "instance")}; the others are not held up by them`}>
      <ul className={css.groups}>
        {groupBy(silent, silence).map((group) => (
          <li key={group.code + group.words}>
            <span className={css.count}>{number(group.items.length)} ×</span>
            <span className={css.words}>{group.words}</span>
            <code className={css.place}>{group.code}</code>
            <span className={css.members}>
              {group.items.slice(0, named).map((r, i) => (
                <span key={r.id}>
                  {i > 0 ? ", " : ""}
                  <Link to="/nodes/$id" params={{ id: r.id }} className="mono">
                    {r.id}
                  </Link>
                </span>
              ))}
              {group.items.length > named ? ` and ${number(group.items.length - named)} more` : ""}
            </span>
            <Button kind="quiet" why={why} onClick={() => sync(group.items.map((r) => r.id))}>
              Try again…
            </Button>
          </li>
        ))}
      </ul>
    </Section>
  );
}
