import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { usePending } from "../../app/live";
import { auditExport, auditList, verifyAudit } from "../../data/admin";
import { number } from "../../lib/words";
import { Button } from "../../parts/Button";
import { DataTable } from "../../parts/DataTable";
import { FilterBar } from "../../parts/FilterBar";
import { StatusMark } from "../../parts/Glyph";
import { moreOf } from "../../parts/more";
import { Page } from "../../parts/Page";
import { Pending } from "../../parts/Pending";
import { Empty, Failed, Loaded } from "../../parts/State";
import css from "./Audit.module.css";
import { columns } from "./columns";

const filters = [
  { key: "actor", label: "Filter by actor", placeholder: "Actor" },
  { key: "action", label: "Filter by action", placeholder: "Action" },
  { key: "object", label: "Filter by object", placeholder: "Object" },
] as const;

export default function Audit() {
  const search = useSearch({ from: "/shell/audit" });
  const navigate = useNavigate({ from: "/audit" });
  const query = useInfiniteQuery(auditList({ actor: search.actor, action: search.action, object: search.object }));
  const [pending, clear] = usePending("audit");
  const filtered = Boolean(search.actor || search.action || search.object);
  return (
    <Page title="Audit" aside="Every action, in a chain of hashes" actions={<AuditActions />}>
      <Verified />
      <div className={css.filters}>
        {filters.map((f) => (
          <FilterBar
            key={f.key}
            label={f.label}
            placeholder={f.placeholder}
            value={search[f.key] ?? ""}
            onChange={(value) =>
              void navigate({ search: (s) => ({ ...s, [f.key]: value || undefined }), replace: true })
            }
          />
        ))}
      </div>
      <div>
        <Pending
          count={pending}
          onShow={() => {
            clear();
            void query.refetch();
          }}
        />
        <Loaded query={query}>
          {(rows) =>
            rows.length > 0 ? (
              <DataTable label="Audit log" columns={columns} rows={rows} keyOf={(r) => String(r.seq)} more={moreOf(query)} />
            ) : filtered ? (
              <Empty title="No entry matches the filter">
                <Button onClick={() => void navigate({ search: {} })}>Clear the filter</Button>
              </Empty>
            ) : (
              <Empty title="No entry yet" />
            )
          }
        </Loaded>
      </div>
    </Page>
  );
}

function AuditActions() {
  return (
    <a className={css.export} href={auditExport} download="drover-audit.jsonl">
      Export JSON Lines
    </a>
  );
}

function Verified() {
  const run = useMutation({ mutationFn: verifyAudit });
  return (
    <div className={css.verify}>
      <Button busy={run.isPending} onClick={() => run.mutate()}>
        Verify the chain
      </Button>
      <div role="status">
        {run.data?.valid ? (
          <StatusMark status="acked" word={`Unbroken: ${number(run.data.entries)} entries`} />
        ) : run.data ? (
          <StatusMark status="dead_letter" word={`Broken at entry ${run.data.broken_at}: the log was altered or damaged there`} />
        ) : null}
      </div>
      {run.error ? <Failed error={run.error} /> : null}
    </div>
  );
}
