import { Link, useNavigate } from "@tanstack/react-router";
import type { RevisionRow } from "../../data/types";
import { LinkButton } from "../../parts/Button";
import { type Column, DataTable } from "../../parts/DataTable";
import { Empty } from "../../parts/State";
import { Time } from "../../parts/Time";

const columns: Column<RevisionRow>[] = [
  {
    head: "Revision",
    width: "72px",
    phone: "56px",
    cell: (r) =>
      r.push ? (
        <Link to="/pushes/$id" params={{ id: r.push }} className="mono">
          {r.revision}
        </Link>
      ) : (
        <span className="mono">{r.revision}</span>
      ),
  },
  { head: "Message", width: "minmax(0,3fr)", phone: "minmax(0,1fr)", cell: (r) => r.message || <Untold row={r} /> },
  {
    head: "Documents",
    width: "minmax(0,2fr)",
    cell: (r) => (
      <span className="mono">
        {r.edits.map((e) => `${e.document}${e.op === "delete" ? " deleted" : e.to ? ` v${e.to}` : ""}`).join(", ")}
      </span>
    ),
  },
  { head: "Author", width: "minmax(0,140px)", cell: (r) => r.author },
  { head: "When", width: "96px", phone: "72px", end: true, cell: (r) => <Time at={r.time} /> },
];

function Untold({ row }: { row: RevisionRow }) {
  return <span>{row.edits.map((e) => `${e.op} ${e.document}`).join(", ")}</span>;
}

export function Revisions({ rows }: { rows: RevisionRow[] }) {
  const navigate = useNavigate();
  if (rows.length === 0) {
    return (
      <Empty title="No change yet">
        <p>The first document makes the first revision.</p>
        <LinkButton to="/documents" search={{ new: "1" }}>
          New document
        </LinkButton>
      </Empty>
    );
  }
  return (
    <DataTable
      label="Recent changes"
      columns={columns}
      rows={rows}
      keyOf={(r) => String(r.revision)}
      onOpen={(r) => r.push && void navigate({ to: "/pushes/$id", params: { id: r.push } })}
    />
  );
}
