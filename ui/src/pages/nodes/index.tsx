import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { usePending } from "../../app/live";
import { useWhyNot } from "../../app/may";
import { fleetQuery, nodeList } from "../../data/fleet";
import { followsStatus, termOf, withTerm } from "../../lib/nodequery";
import { plural } from "../../lib/words";
import { Button } from "../../parts/Button";
import { CountsBar } from "../../parts/CountsBar";
import { FilterBar } from "../../parts/FilterBar";
import { FleetStrip } from "../../parts/FleetStrip";
import { NodeTable } from "../../parts/NodeTable";
import { Page } from "../../parts/Page";
import { Pending } from "../../parts/Pending";
import { Empty, Loaded } from "../../parts/State";
import { EnrollDialog } from "./EnrollDialog";
import { SortBy } from "./SortBy";

export default function Nodes() {
  const search = useSearch({ from: "/shell/nodes" });
  const navigate = useNavigate({ from: "/nodes" });
  const q = search.q ?? "";
  const list = useInfiniteQuery(nodeList(q, search.sort ?? ""));
  // The counts belong to the query without its status: they are the ways to choose one.
  const wide = withTerm(q, "status", undefined);
  const fleet = useQuery(fleetQuery({ q: wide || undefined }));
  const why = useWhyNot("nodes.enroll");
  const [pending, clear] = usePending("nodes");
  const setQuery = (next: string, replace = false) =>
    void navigate({ search: (s) => ({ ...s, q: next || undefined }), replace, resetScroll: false });
  const enroll = (open: boolean) => void navigate({ search: (s) => ({ ...s, do: open ? "enroll" : undefined }) });
  const status = termOf(q, "status") ?? "";
  return (
    <Page
      title="Nodes"
      aside={fleet.data ? plural(fleet.data.total, "node") : null}
      actions={
        <Button kind="primary" why={why} onClick={() => enroll(true)}>
          Enroll a node
        </Button>
      }
    >
      <FilterBar
        label="Filter nodes"
        placeholder="site=fra status=offline document=routing/core or any words"
        value={q}
        onChange={(next) => setQuery(next, true)}
      >
        <SortBy current={search.sort ?? ""} />
      </FilterBar>
      {fleet.data && fleet.data.total > 0 ? (
        <>
          <CountsBar
            counts={fleet.data.counts}
            total={fleet.data.total}
            current={status}
            link={(next, className, pressed, children) => (
              <Link
                to="/nodes"
                search={(s) => ({ ...s, q: withTerm(wide, "status", next || undefined) || undefined })}
                className={className}
                aria-current={pressed ? "true" : undefined}
                resetScroll={false}
              >
                {children}
              </Link>
            )}
          />
          <FleetStrip
            fleet={fleet.data}
            onCell={(cell) => setQuery(withTerm(cell.site ? siteTerm(q, cell.site) : q, "status", cell.status))}
            onSite={(site) => setQuery(withTerm(q, "site", site))}
          />
        </>
      ) : null}
      <div>
        {followsStatus(q) ? (
          <Pending
            count={pending}
            onShow={() => {
              clear();
              void list.refetch();
            }}
          />
        ) : null}
        <Loaded query={list}>
          {(rows) =>
            rows.length > 0 ? (
              <NodeTable label="Nodes" rows={rows} query={list} />
            ) : q ? (
              <Empty title={`No node matches “${q}”`}>
                <p>Terms are key=value (status, site or any label, peer, document, in_sync); other words match ids.</p>
                <Button onClick={() => setQuery("")}>Clear the filter</Button>
              </Empty>
            ) : (
              <Empty title="No node is enrolled yet">
                <p>A token and one command on the machine make a node.</p>
                <Button why={why} onClick={() => enroll(true)}>
                  Enroll a node
                </Button>
              </Empty>
            )
          }
        </Loaded>
      </div>
      {search.do === "enroll" ? <EnrollDialog why={why} onClose={() => enroll(false)} /> : null}
    </Page>
  );
}

const siteTerm = (q: string, site: string) => (termOf(q, "site") === site ? q : withTerm(q, "site", site));
