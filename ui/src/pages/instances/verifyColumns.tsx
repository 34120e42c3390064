import { Link } from "@tanstack/react-router";
import type { Verified } from "../../data/types";
import { verdict } from "../../lib/instances";
import type { Column } from "../../parts/DataTable";
import { StatusMark } from "../../parts/Glyph";
import css from "./Instances.module.css";
import { verdictMark } from "./verdicts";

export function verifyColumns(document: string): Column<Verified>[] {
  return [
    {
      head: "Instance",
      width: "minmax(140px,1.2fr)",
      phone: "minmax(0,1fr)",
      cell: (r) => (
        <Link to="/nodes/$id" params={{ id: r.id }} className="mono">
          {r.id}
        </Link>
      ),
    },
    { head: "Holds", width: "112px", phone: "104px", cell: (r) => <Mark row={r} /> },
    {
      head: "Document",
      width: "minmax(0,1.2fr)",
      phone: document ? undefined : "minmax(0,0.8fr)",
      cell: (r) => {
        const name = r.document || document;
        return name ? (
          <Link to="/documents/$name" params={{ name }} className="mono">
            {name}
          </Link>
        ) : (
          <span className="mono">{r.target || "–"}</span>
        );
      },
    },
    { head: "Wanted", width: "120px", cell: (r) => <span className="mono">{r.wanted || "–"}</span> },
    { head: "Reported", width: "120px", cell: (r) => <span className="mono">{r.reported || "–"}</span> },
    {
      head: "Said",
      width: "minmax(0,2.4fr)",
      cell: (r) =>
        r.error ? (
          <span title={r.error}>
            {r.error} <code>{r.code}</code>
          </span>
        ) : r.unverified ? (
          <span className={css.soft}>hash as it told after the last update</span>
        ) : null,
    },
  ];
}

function Mark({ row }: { row: Verified }) {
  const [status, word] = verdictMark[verdict(row)];
  return <StatusMark status={status} word={word} />;
}
