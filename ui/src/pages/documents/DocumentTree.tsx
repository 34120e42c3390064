import { Link, useNavigate } from "@tanstack/react-router";
import type { UseInfiniteQueryResult } from "@tanstack/react-query";
import { useMemo } from "react";
import type { DocumentRow } from "../../data/types";
import { buildTree, type TreeItem } from "../../lib/tree";
import { bytes, number } from "../../lib/words";
import { type Column, DataTable } from "../../parts/DataTable";
import { moreOf } from "../../parts/more";
import { Time } from "../../parts/Time";
import css from "./Documents.module.css";

type Item = TreeItem<DocumentRow>;

const of = (show: (row: DocumentRow) => React.ReactNode) => (item: Item) => (item.row ? show(item.row) : null);

const columns: Column<Item>[] = [
  {
    head: "Name",
    width: "minmax(200px,3fr)",
    phone: "minmax(0,1fr)",
    cell: (item) => (
      <span className={css.name} style={{ paddingLeft: item.depth * 18 }}>
        {item.row ? (
          <Link to="/documents/$name" params={{ name: item.row.document }} className="mono">
            {item.label}
          </Link>
        ) : (
          <span className={`mono ${css.folder}`}>{item.label}/</span>
        )}
      </span>
    ),
  },
  {
    head: "Effective",
    width: "72px",
    phone: "64px",
    cell: of((r) => <span className="mono">v{r.version}</span>),
  },
  { head: "Nodes", width: "64px", end: true, phone: "48px", cell: of((r) => number(r.nodes)) },
  {
    head: "Selector",
    width: "minmax(0,2fr)",
    cell: of((r) => (r.selector ? <span className="mono">{r.selector}</span> : <span className={css.soft}>every node</span>)),
  },
  {
    head: "Target",
    width: "minmax(0,1.4fr)",
    cell: of((r) => <span className={r.target === r.document ? `mono ${css.soft}` : "mono"}>{r.target}</span>),
  },
  { head: "Schema", width: "56px", cell: of((r) => (r.has_schema ? "yes" : <span className={css.soft}>none</span>)) },
  { head: "Size", width: "72px", end: true, cell: of((r) => bytes(r.bytes)) },
  { head: "Author", width: "minmax(0,120px)", cell: of((r) => r.author) },
  { head: "Changed", width: "88px", end: true, cell: of((r) => <Time at={r.updated} />) },
];

interface Props {
  rows: DocumentRow[];
  query: Parameters<typeof moreOf>[0] & Pick<UseInfiniteQueryResult, "data">;
}

export function DocumentTree({ rows, query }: Props) {
  const navigate = useNavigate();
  const items = useMemo(() => buildTree(rows, (r) => r.document), [rows]);
  return (
    <DataTable
      label="Documents"
      columns={columns}
      rows={items}
      keyOf={(item) => (item.row ? `document ${item.path}` : `folder ${item.path}`)}
      onOpen={(item) => item.row && void navigate({ to: "/documents/$name", params: { name: item.row.document } })}
      more={moreOf(query)}
    />
  );
}
