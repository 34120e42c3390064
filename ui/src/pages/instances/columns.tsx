import { Link } from "@tanstack/react-router";
import type { InstanceRow } from "../../data/types";
import { facts, notes, unverified } from "../../lib/instances";
import { formatLabels } from "../../lib/labels";
import { Button } from "../../parts/Button";
import type { Column } from "../../parts/DataTable";
import { StatusMark } from "../../parts/Glyph";
import { Time } from "../../parts/Time";
import { Two } from "../../parts/Two";
import css from "./Instances.module.css";

export function columnsFor(act: (what: string) => void, why?: string): Column<InstanceRow>[] {
  return [
    {
      head: "Instance",
      width: "minmax(150px,1.6fr)",
      phone: "minmax(0,1fr)",
      cell: (r) => (
        <Two
          top={
            <Link to="/nodes/$id" params={{ id: r.id }} className="mono">
              {r.id}
            </Link>
          }
          under={
            <>
              <span className={css.phone}>{notes(r)[0] ?? r.url}</span>
              <span className={`mono ${css.desk}`} title={r.url}>
                {r.url}
              </span>
            </>
          }
        />
      ),
    },
    {
      head: "Status",
      width: "112px",
      phone: "108px",
      cell: (r) => <Two top={<StatusMark status={r.status} />} under={state(r)} />,
    },
    { head: "Health", width: "minmax(0,3fr)", cell: (r) => <Health row={r} /> },
    {
      head: "Labels, accepts",
      width: "minmax(0,1.2fr)",
      cell: (r) => (
        <Two
          top={<span className="mono">{formatLabels(r.labels) || "–"}</span>}
          under={r.accepts.join(", ")}
          title={`${formatLabels(r.labels)}\naccepts ${r.accepts.join(", ")}`}
        />
      ),
    },
    {
      head: "Source, caller",
      width: "minmax(96px,0.6fr)",
      cell: (r) => (
        <Two
          top={
            r.source === "manual" || !r.source ? (
              "by hand"
            ) : (
              <Link to="/instances" search={{ q: `source=${r.source}` }} className="mono">
                {r.source}
              </Link>
            )
          }
          under={
            r.gone ? (
              <>
                gone <Time at={r.gone} />
              </>
            ) : r.owner ? (
              `by ${r.owner}`
            ) : (
              "by nobody"
            )
          }
        />
      ),
    },
    {
      head: "Actions",
      width: "136px",
      end: true,
      cell: (r) => (
        <>
          <Button kind="quiet" why={why} aria-label={`Edit ${r.id}`} onClick={() => act(`edit:${r.id}`)}>
            Edit
          </Button>
          <Button kind="quiet" why={why} aria-label={`Remove ${r.id}`} onClick={() => act(`remove:${r.id}`)}>
            Remove…
          </Button>
        </>
      ),
    },
  ];
}

function state(r: InstanceRow): string {
  if (r.in_sync && r.connected) return "in sync";
  if (!r.connected) return "not answering";
  return r.attempts > 0 ? `not in sync, try ${r.attempts}` : "not in sync";
}

function Health({ row }: { row: InstanceRow }) {
  const [first, ...others] = notes(row);
  const soft = [...others, unverified(row), row.has_token ? "" : "called without a token"].filter(Boolean);
  if (!first) return <Two top={facts(row) || "–"} under={soft.join(" · ")} />;
  if (soft.length === 0) soft.push(facts(row));
  return <Two top={first} under={soft.join(" · ")} title={[row.unreachable?.message ?? first, ...soft].join("\n")} />;
}
