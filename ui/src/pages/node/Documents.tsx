import { Link } from "@tanstack/react-router";
import type { NodeDocument, NodeFull } from "../../data/types";
import { plural } from "../../lib/words";
import { type Column, DataTable } from "../../parts/DataTable";
import { StatusMark } from "../../parts/Glyph";
import { Section } from "../../parts/Page";
import { Empty } from "../../parts/State";

const version = (v: number | undefined) => <span className="mono">{v ? `v${v}` : "–"}</span>;

const columns: Column<NodeDocument>[] = [
  {
    head: "Document",
    width: "minmax(0,2fr)",
    phone: "minmax(0,1fr)",
    cell: (d) => (
      <Link to="/documents/$name" params={{ name: d.document }} className="mono">
        {d.document}
      </Link>
    ),
  },
  { head: "Target", width: "minmax(0,1.5fr)", cell: (d) => <span className="mono">{d.target}</span> },
  { head: "Effective", width: "72px", phone: "60px", end: true, cell: (d) => version(d.version) },
  { head: "Wanted", width: "72px", end: true, cell: (d) => version(d.wanted_version ?? d.version) },
  { head: "Accepted", width: "72px", phone: "64px", end: true, cell: (d) => version(d.accepted_version) },
  {
    head: "Refused",
    width: "96px",
    phone: "72px",
    end: true,
    cell: (d) => (d.refused_version ? <StatusMark status="reverted" word={`v${d.refused_version}`} /> : "–"),
  },
];

export function Documents({ node }: { node: NodeFull }) {
  return (
    <Section title="Documents" aside={plural(node.documents?.length ?? 0, "document")}>
      {node.documents?.length ? (
        <DataTable label="Documents" columns={columns} rows={node.documents} keyOf={(d) => d.document} />
      ) : (
        <Empty title="No document selects this node">
          <p>Its labels match no selector.</p>
        </Empty>
      )}
    </Section>
  );
}
