import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { usePending } from "../../app/live";
import { targetList } from "../../data/fleet";
import type { PushRow, TargetRow } from "../../data/types";
import { place } from "../../lib/words";
import { LinkButton } from "../../parts/Button";
import { type Column, DataTable } from "../../parts/DataTable";
import { StatusMark } from "../../parts/Glyph";
import { moreOf } from "../../parts/more";
import { Section } from "../../parts/Page";
import { Pending } from "../../parts/Pending";
import { Empty, Loaded } from "../../parts/State";
import { Time } from "../../parts/Time";
import css from "./Push.module.css";

const columns: Column<TargetRow>[] = [
  {
    head: "Node",
    width: "minmax(140px,1.2fr)",
    phone: "minmax(0,1fr)",
    cell: (r) => (
      <Link to="/nodes/$id" params={{ id: r.node }} className="mono">
        {r.node}
      </Link>
    ),
  },
  { head: "Status", width: "116px", phone: "112px", cell: (r) => <StatusMark status={r.status} /> },
  { head: "Tries", width: "44px", phone: "40px", end: true, cell: (r) => r.attempts || "–" },
  {
    head: "Error",
    width: "minmax(0,3fr)",
    cell: (r) =>
      r.error ? (
        <span title={r.error.message}>
          {r.error.message} <span className={css.soft}>{place(r.error)}</span>
        </span>
      ) : null,
  },
  { head: "Served by", width: "minmax(0,104px)", cell: (r) => (r.connected ? r.peer || "connected" : "–") },
  {
    head: "Manifest",
    width: "112px",
    cell: (r) => <span className="mono">{r.reported?.manifest?.slice(0, 10) ?? "–"}</span>,
  },
  { head: "Updated", width: "80px", phone: "64px", end: true, cell: (r) => <Time at={r.updated} /> },
];

export function PushTargets({ push, status, cause }: { push: PushRow; status: string; cause?: string }) {
  const query = useInfiniteQuery(targetList(push.id, { status: status || undefined, cause }));
  const navigate = useNavigate();
  const [pending, clear] = usePending("targets");
  const filtered = Boolean(status || cause);
  return (
    <Section title="Targets">
      {filtered ? (
        <Pending
          count={pending}
          onShow={() => {
            clear();
            void query.refetch();
          }}
        />
      ) : null}
      <Loaded query={query}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty title={filtered ? "No target matches the filter now" : "No target"}>
              {filtered ? (
                <LinkButton to="/pushes/$id" params={{ id: push.id }} search={{}}>
                  Show all targets
                </LinkButton>
              ) : null}
            </Empty>
          ) : (
            <DataTable
              label="Targets"
              columns={columns}
              rows={rows}
              total={filtered ? undefined : push.total}
              keyOf={(r) => r.node}
              onOpen={(r) => void navigate({ to: "/nodes/$id", params: { id: r.node } })}
              more={moreOf(query)}
            />
          )
        }
      </Loaded>
    </Section>
  );
}
