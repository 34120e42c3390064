import { Link, useNavigate } from "@tanstack/react-router";
import type { NodeRow } from "../data/types";
import { place } from "../lib/words";
import { type Column, DataTable } from "./DataTable";
import { StatusMark } from "./Glyph";
import { moreOf } from "./more";
import css from "./NodeTable.module.css";

const columns: Column<NodeRow>[] = [
  {
    head: "Node",
    width: "minmax(140px,1.2fr)",
    phone: "minmax(0,1fr)",
    cell: (r) => (
      <Link to="/nodes/$id" params={{ id: r.id }} className="mono">
        {r.id}
      </Link>
    ),
  },
  { head: "Status", width: "112px", phone: "108px", cell: (r) => <StatusMark status={r.status} /> },
  { head: "Site", width: "minmax(0,120px)", phone: "minmax(0,80px)", cell: (r) => r.labels?.site ?? "–" },
  {
    head: "Labels",
    width: "minmax(0,1.2fr)",
    cell: (r) => <span className="mono">{labelsOf(r)}</span>,
  },
  {
    head: "Connected to",
    width: "minmax(0,112px)",
    cell: (r) => (r.connected ? r.peer || "yes" : <span className={css.soft}>not connected</span>),
  },
  {
    head: "Desired",
    width: "64px",
    end: true,
    cell: (r) => <span className="mono">{r.desired?.revision ?? "–"}</span>,
  },
  {
    head: "Reported",
    width: "64px",
    end: true,
    cell: (r) => <span className="mono">{r.reported?.revision ?? "–"}</span>,
  },
  { head: "Tries", width: "44px", end: true, cell: (r) => r.attempts || "–" },
  {
    head: "Last error",
    width: "minmax(0,2.4fr)",
    cell: (r) =>
      r.last_error ? (
        <span title={r.last_error.message}>
          {r.last_error.message} <span className={css.soft}>{place(r.last_error)}</span>
        </span>
      ) : null,
  },
];

function labelsOf(row: NodeRow): string {
  return Object.entries(row.labels ?? {})
    .filter(([key]) => key !== "site")
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
}

interface Props {
  label: string;
  rows: NodeRow[];
  query: Parameters<typeof moreOf>[0];
  total?: number;
}

export function NodeTable({ label, rows, query, total }: Props) {
  const navigate = useNavigate();
  return (
    <DataTable
      label={label}
      columns={columns}
      rows={rows}
      total={total}
      keyOf={(r) => r.id}
      onOpen={(r) => void navigate({ to: "/nodes/$id", params: { id: r.id } })}
      more={moreOf(query)}
    />
  );
}
