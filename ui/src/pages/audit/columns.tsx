import { Link } from "@tanstack/react-router";
import type { AuditEntry } from "../../data/types";
import { short } from "../../lib/words";
import type { Column } from "../../parts/DataTable";
import { StatusMark } from "../../parts/Glyph";
import { Time } from "../../parts/Time";

export const columns: Column<AuditEntry>[] = [
  { head: "Entry", width: "64px", cell: (r) => <span className="mono">{r.seq}</span> },
  { head: "When", width: "88px", phone: "64px", cell: (r) => <Time at={r.time} /> },
  {
    head: "Actor",
    width: "minmax(0,1fr)",
    phone: "minmax(0,80px)",
    cell: (r) => (
      <Link to="/audit" search={(s) => ({ ...s, actor: r.actor })}>
        {r.actor || "–"}
      </Link>
    ),
  },
  {
    head: "Action",
    width: "minmax(0,1.3fr)",
    phone: "minmax(0,1fr)",
    cell: (r) => (
      <Link to="/audit" search={(s) => ({ ...s, action: r.action })} className="mono">
        {r.action}
      </Link>
    ),
  },
  { head: "Object", width: "minmax(0,1.6fr)", cell: (r) => <span className="mono">{r.object || "–"}</span> },
  { head: "Detail", width: "minmax(0,2fr)", cell: (r) => <span title={detail(r)}>{detail(r)}</span> },
  {
    head: "Outcome",
    width: "104px",
    phone: "88px",
    cell: (r) => <StatusMark status={r.outcome === "done" ? "acked" : "reverted"} word={r.outcome} />,
  },
  {
    head: "Request",
    width: "104px",
    cell: (r) => (
      <span className="mono" title={r.request_id}>
        {short(r.request_id) || "–"}
      </span>
    ),
  },
  {
    head: "Hash",
    width: "96px",
    cell: (r) => (
      <span className="mono" title={r.hash}>
        {short(r.hash)}
      </span>
    ),
  },
];

function detail(r: AuditEntry): string {
  if (r.detail === undefined || r.detail === null) return "";
  return typeof r.detail === "string" ? r.detail : JSON.stringify(r.detail);
}
