import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { discoveryList } from "../../data/instances";
import type { Discovery } from "../../data/types";
import { formatLabels } from "../../lib/labels";
import { number } from "../../lib/words";
import { Button } from "../../parts/Button";
import { type Column, DataTable } from "../../parts/DataTable";
import { StatusMark } from "../../parts/Glyph";
import { moreOf } from "../../parts/more";
import { Section } from "../../parts/Page";
import { Empty, Loaded } from "../../parts/State";
import { Two } from "../../parts/Two";
import { asks, every } from "./discoveryForm";
import css from "./Instances.module.css";

/** The sources of instances, what they found, and what keeps them from it. */
export function Discoveries({ act, why }: { act: (what: string) => void; why?: string }) {
  // An answer that only a source's own clock brings: no event tells of it.
  const query = useInfiniteQuery({ ...discoveryList(), refetchInterval: 5_000 });
  return (
    <Loaded query={query} rows={3}>
      {(rows) =>
        rows.length === 0 ? (
          <Empty title="No discovery">
            <p>DNS, Consul’s catalogue or a file can say where instances are. Those that go are marked, never removed.</p>
            <Button why={why} onClick={() => act("discover")}>
              Add a discovery
            </Button>
          </Empty>
        ) : (
          <>
            <Failing rows={rows.filter((d) => d.error)} />
            <DataTable label="Discoveries" tall columns={columnsFor(act, why)} rows={rows} keyOf={(d) => d.id} more={moreOf(query)} />
          </>
        )
      }
    </Loaded>
  );
}

/** In full: these words are what a person needs to mend it. */
function Failing({ rows }: { rows: Discovery[] }) {
  if (rows.length === 0) return null;
  return (
    <Section title="Failing" aside="what they found before stays">
      <ul className={css.failing}>
        {rows.map((d) => (
          <li key={d.id}>
            <span className="mono">{d.id}</span>
            <span className={css.words}>{d.error}</span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function columnsFor(act: (what: string) => void, why?: string): Column<Discovery>[] {
  return [
    {
      head: "Discovery",
      width: "minmax(120px,1fr)",
      phone: "minmax(0,1fr)",
      cell: (d) => (
        <Two
          top={
            <Link to="/instances" search={{ q: `source=${d.id}` }} className="mono">
              {d.id}
            </Link>
          }
          under={
            <>
              <span className={css.phone}>{d.error || asks(d)}</span>
              <span className={css.desk}>
                {d.type}, every {every(d.interval)}
              </span>
            </>
          }
        />
      ),
    },
    {
      head: "State",
      width: "112px",
      phone: "96px",
      cell: (d) => (
        <Two
          top={<StatusMark status={d.error ? "dead_letter" : "acked"} word={d.error ? "failing" : "answers"} />}
          under={`found ${number(d.found)}`}
        />
      ),
    },
    {
      head: "Asks",
      width: "minmax(0,3fr)",
      cell: (d) => <Two top={<span className="mono">{asks(d)}</span>} under={d.error} title={d.error || asks(d)} />,
    },
    { head: "Instances", width: "72px", end: true, cell: (d) => number(d.instances) },
    {
      head: "Labels, accepts",
      width: "minmax(0,1.2fr)",
      cell: (d) => <Two top={<span className="mono">{formatLabels(d.labels) || "–"}</span>} under={(d.accepts ?? []).join(", ")} />,
    },
    {
      head: "Actions",
      width: "96px",
      phone: "88px",
      end: true,
      cell: (d) => (
        <Button kind="quiet" why={why} aria-label={`Remove ${d.id}`} onClick={() => act(`undiscover:${d.id}`)}>
          Remove…
        </Button>
      ),
    },
  ];
}
