import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { versionsQuery } from "../../data/documents";
import type { DocumentFull, VersionRow } from "../../data/types";
import { bytes } from "../../lib/words";
import { type Column, DataTable } from "../../parts/DataTable";
import { moreOf } from "../../parts/more";
import { Loaded } from "../../parts/State";
import { Time } from "../../parts/Time";
import css from "./Document.module.css";
import { Rollback } from "./Rollback";

export function History({ doc }: { doc: DocumentFull }) {
  const search = useSearch({ from: "/shell/documents/$name" });
  const query = useInfiniteQuery(versionsQuery(doc.document));
  const version = Number(search.version);
  if (search.do === "rollback" && Number.isInteger(version) && version > 0) return <Rollback doc={doc} to={version} />;
  return (
    <Loaded query={query}>
      {(rows) => (
        <DataTable
          label="Versions"
          columns={columnsFor(doc)}
          rows={newestFirst(rows)}
          keyOf={(r) => String(r.version)}
          more={moreOf(query)}
        />
      )}
    </Loaded>
  );
}

const newestFirst = (rows: VersionRow[]) => [...rows].sort((a, b) => b.version - a.version);

function columnsFor(doc: DocumentFull): Column<VersionRow>[] {
  const name = doc.document;
  return [
    {
      head: "Version",
      width: "136px",
      phone: "56px",
      cell: (r) => (
        <>
          <span className="mono">v{r.version}</span>
          {r.version === doc.version ? <span className={css.soft}> effective</span> : null}
        </>
      ),
    },
    { head: "Message", width: "minmax(0,3fr)", phone: "minmax(0,1fr)", cell: (r) => r.message || "–" },
    { head: "Author", width: "minmax(0,140px)", cell: (r) => r.author },
    { head: "When", width: "88px", cell: (r) => <Time at={r.time} /> },
    { head: "Revision", width: "64px", end: true, cell: (r) => <span className="mono">{r.revision}</span> },
    { head: "Size", width: "72px", end: true, cell: (r) => bytes(r.bytes) },
    {
      head: "Changes",
      width: "72px",
      phone: "64px",
      cell: (r) =>
        r.version > 1 ? (
          <Link
            to="/documents/$name/compare"
            params={{ name }}
            search={{ from: String(r.version - 1), to: String(r.version) }}
          >
            Compare
          </Link>
        ) : (
          <span className={css.soft}>first</span>
        ),
    },
    {
      head: "Back",
      width: "96px",
      phone: "80px",
      end: true,
      cell: (r) =>
        r.version === doc.version ? null : (
          <Link
            to="/documents/$name"
            params={{ name }}
            search={{ tab: "history", do: "rollback", version: String(r.version) }}
          >
            Roll back…
          </Link>
        ),
    },
  ];
}
