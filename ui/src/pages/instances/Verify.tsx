import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { documentList } from "../../data/documents";
import { instanceList, verifyQuery } from "../../data/instances";
import type { Verified } from "../../data/types";
import { groupBy, type Verdict, verdict, worstFirst } from "../../lib/instances";
import { number, plural } from "../../lib/words";
import { Button } from "../../parts/Button";
import { Chosen } from "../../parts/Chosen";
import { DataTable } from "../../parts/DataTable";
import { StatusMark } from "../../parts/Glyph";
import { Section } from "../../parts/Page";
import { selectColumn } from "../../parts/selectColumn";
import { useSelection } from "../../parts/selection";
import { Empty, Failed, Skeleton } from "../../parts/State";
import { Time } from "../../parts/Time";
import { Groups } from "./Groups";
import css from "./Instances.module.css";
import { verdictMark } from "./verdicts";
import { verifyColumns } from "./verifyColumns";

/** Asks every instance what it holds, against what is wanted of it. */
export function Verify({ sync, why }: { sync: (ids: string[]) => void; why?: string }) {
  const { document = "" } = useSearch({ from: "/shell/instances" });
  const query = useQuery(verifyQuery(document));
  const selection = useSelection();
  const rows = worstFirst(query.data?.instances ?? []);
  const differing = [...new Set(rows.filter((r) => verdict(r) === "differs").map((r) => r.id))];
  return (
    <>
      <div className={css.bar}>
        <DocumentChoice current={document} />
        <Button busy={query.isFetching} onClick={() => void query.refetch()}>
          {query.isFetching ? "Asking…" : "Verify again"}
        </Button>
        {query.data ? (
          <span className={css.soft}>
            asked <Time at={new Date(query.dataUpdatedAt).toISOString()} />
          </span>
        ) : null}
        <span className={css.space} />
        {differing.length > 0 ? (
          <Button kind="primary" why={why} onClick={() => sync(differing)}>
            Sync {plural(differing.length, "instance")} that {differing.length === 1 ? "differs" : "differ"}…
          </Button>
        ) : null}
      </div>
      {query.data ? <Sums rows={rows} /> : null}
      <Unanswered rows={rows} />
      <div>
        {query.error ? <Failed error={query.error} retry={query.refetch} busy={query.isFetching} /> : null}
        {query.data === undefined && !query.error ? (
          <>
            <p role="status" className={css.soft}>
              Asking every instance what it holds. One that hangs is given up after 4 seconds…
            </p>
            <Skeleton rows={6} />
          </>
        ) : null}
        {query.data && rows.length === 0 ? (
          <Empty title={document ? `No instance holds ${document}` : "There is nothing to verify"}>
            <p>{document ? "Its selector matches no instance that accepts its target." : "No document is wanted on any instance."}</p>
          </Empty>
        ) : null}
        {rows.length > 0 ? (
          <DataTable
            label="Verified"
            columns={[selectColumn(selection, rows, (r) => r.id), ...verifyColumns(document)]}
            rows={rows}
            keyOf={keyOf}
          />
        ) : null}
        <Chosen selection={selection}>
          <Button kind="primary" why={why} onClick={() => sync([...selection.ids])}>
            Sync {plural(selection.ids.size, "instance")}…
          </Button>
        </Chosen>
      </div>
    </>
  );
}

/** Why they did not answer, once per instance and in full. */
function Unanswered({ rows }: { rows: Verified[] }) {
  const silent = rows.filter((r, i) => verdict(r) === "silent" && rows.findIndex((other) => other.id === r.id) === i);
  if (silent.length === 0) return null;
  return (
    <Section title="Not answering" aside="an instance that does not answer is not in sync">
      <Groups groups={groupBy(silent, (r) => ({ code: r.code ?? "", message: r.error ?? "" }))} />
    </Section>
  );
}

const keyOf = (r: Verified) => `${r.id} ${r.document ?? ""} ${r.target ?? ""}`;

function summed(v: Verdict, n: number): string {
  if (v === "unverified") return `${number(n)} in sync by their own word`;
  return `${number(n)} ${v === "differs" && n > 1 ? "differ" : verdictMark[v][1]}`;
}

function Sums({ rows }: { rows: Verified[] }) {
  const counts = new Map<Verdict, number>();
  for (const r of rows) counts.set(verdict(r), (counts.get(verdict(r)) ?? 0) + 1);
  return (
    <p className={css.sums} role="status">
      {(["same", "unverified", "differs", "silent"] as const).map((v) =>
        counts.get(v) ? <StatusMark key={v} status={verdictMark[v][0]} word={summed(v, counts.get(v)!)} /> : null,
      )}
    </p>
  );
}

function DocumentChoice({ current }: { current: string }) {
  const navigate = useNavigate({ from: "/instances" });
  const documents = useInfiniteQuery(documentList(""));
  const instances = useInfiniteQuery(instanceList(""));
  const targets = new Set((instances.data ?? []).flatMap((i) => i.accepts));
  const choices = (documents.data ?? []).filter((d) => targets.has(d.target) || d.document === current);
  return (
    <label>
      Document
      <select
        value={current}
        onChange={(e) => void navigate({ search: (s) => ({ ...s, document: e.target.value || undefined }), replace: true })}
      >
        <option value="">every one</option>
        {current && !choices.some((d) => d.document === current) ? <option value={current}>{current}</option> : null}
        {choices.map((d) => (
          <option key={d.document} value={d.document}>
            {d.document}
          </option>
        ))}
      </select>
    </label>
  );
}
