import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { usePending } from "../../app/live";
import { pushList } from "../../data/fleet";
import type { PushRow } from "../../data/types";
import { number, stateWord } from "../../lib/words";
import { Button, LinkButton } from "../../parts/Button";
import { type Column, DataTable } from "../../parts/DataTable";
import { FilterBar } from "../../parts/FilterBar";
import { Glyph } from "../../parts/Glyph";
import { moreOf } from "../../parts/more";
import { Page } from "../../parts/Page";
import { Pending } from "../../parts/Pending";
import { Progress, PushState } from "../../parts/PushState";
import { Empty, Loaded } from "../../parts/State";
import { Time } from "../../parts/Time";

const states = ["", "running", "done", "done_with_failures", "superseded"] as const;

const columns: Column<PushRow>[] = [
  {
    head: "Revision",
    width: "72px",
    phone: "56px",
    cell: (r) => (
      <Link to="/pushes/$id" params={{ id: r.id }} className="mono">
        {r.revision}
      </Link>
    ),
  },
  { head: "State", width: "152px", phone: "116px", cell: (r) => <PushState push={r} /> },
  { head: "Landed", width: "168px", phone: "minmax(0,1fr)", cell: (r) => <Progress push={r} /> },
  {
    head: "Failed",
    width: "64px",
    end: true,
    cell: (r) => {
      const bad = (r.counts.dead_letter ?? 0) + (r.counts.reverted ?? 0);
      return bad ? (
        <span style={{ display: "inline-flex", gap: 5, alignItems: "center" }}>
          <Glyph status="dead_letter" /> {number(bad)}
        </span>
      ) : (
        "–"
      );
    },
  },
  { head: "Message", width: "minmax(0,3fr)", cell: (r) => r.message || "–" },
  { head: "Documents", width: "minmax(0,2fr)", cell: (r) => <span className="mono">{r.documents.join(", ")}</span> },
  { head: "Author", width: "minmax(0,120px)", cell: (r) => r.author },
  { head: "Started", width: "80px", phone: "64px", end: true, cell: (r) => <Time at={r.started} /> },
];

export default function Pushes() {
  const search = useSearch({ from: "/shell/pushes" });
  const navigate = useNavigate({ from: "/pushes" });
  const query = useInfiniteQuery(pushList({ state: search.state, document: search.document }));
  const [pending, clear] = usePending("pushes");
  const filtered = Boolean(search.state || search.document);
  return (
    <Page title="Pushes">
      <FilterBar
        label="Filter by document"
        placeholder="Document, whole name"
        value={search.document ?? ""}
        onChange={(value) =>
          void navigate({ search: (s) => ({ ...s, document: value || undefined }), replace: true })
        }
      >
        <StateFilter current={search.state ?? ""} document={search.document} />
      </FilterBar>
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
              <DataTable
                label="Pushes"
                columns={columns}
                rows={rows}
                keyOf={(r) => r.id}
                onOpen={(r) => void navigate({ to: "/pushes/$id", params: { id: r.id } })}
                more={moreOf(query)}
              />
            ) : filtered ? (
              <Empty title="No push matches the filter">
                <Button onClick={() => void navigate({ search: {} })}>Clear the filter</Button>
              </Empty>
            ) : (
              <Empty title="Nothing was pushed yet">
                <p>Every change makes a push: it carries the change to the nodes that it affects.</p>
                <LinkButton to="/documents">Documents</LinkButton>
              </Empty>
            )
          }
        </Loaded>
      </div>
    </Page>
  );
}

function StateFilter({ current, document }: { current: string; document?: string }) {
  return (
    <nav aria-label="Filter by state" style={{ display: "flex", flexWrap: "wrap", gap: "4px 14px" }}>
      {states.map((s) => (
        <Link
          key={s}
          to="/pushes"
          search={{ state: s || undefined, document }}
          aria-current={s === current ? "true" : undefined}
          style={{ textDecoration: "none", fontWeight: s === current ? 600 : 400 }}
        >
          {s ? stateWord[s] : "all"}
        </Link>
      ))}
    </nav>
  );
}
