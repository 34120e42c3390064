import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { fleetQuery } from "../../data/fleet";
import { instanceHeld, instanceList } from "../../data/instances";
import type { Fleet, InstanceRow, Status } from "../../data/types";
import { termOf, withTerm } from "../../lib/nodequery";
import { plural } from "../../lib/words";
import { Button, LinkButton } from "../../parts/Button";
import { Chosen } from "../../parts/Chosen";
import { CountsBar } from "../../parts/CountsBar";
import { DataTable } from "../../parts/DataTable";
import { FilterBar } from "../../parts/FilterBar";
import { moreOf } from "../../parts/more";
import { Pending } from "../../parts/Pending";
import { selectColumn } from "../../parts/selectColumn";
import { useSelection } from "../../parts/selection";
import { Empty, Loaded } from "../../parts/State";
import { columnsFor } from "./columns";
import type { Why } from "./Dialogs";
import { Silent } from "./Silent";

interface Props {
  act: (what?: string) => void;
  sync: (ids: string[]) => void;
  why: Why;
}

/** Every instance, how it does, and why. */
export function Registry({ act, sync, why }: Props) {
  const search = useSearch({ from: "/shell/instances" });
  const navigate = useNavigate({ from: "/instances" });
  const q = search.q ?? "";
  const status = termOf(q, "status");
  const list = useInfiniteQuery(status ? instanceHeld(q) : instanceList(q));
  // The counts belong to the filter without its status: they are the ways to choose one.
  const wide = withTerm(q, "status", undefined);
  const fleet = useQuery(fleetQuery({ q: `kind=instance ${wide}`.trim() }));
  const selection = useSelection();
  const pending = status && !list.hasNextPage ? waiting(list.data, fleet.data, status) : 0;
  const setQuery = (next: string, replace = false) =>
    void navigate({ search: (s) => ({ ...s, q: next || undefined }), replace, resetScroll: false });
  return (
    <>
      <FilterBar
        label="Filter instances"
        placeholder="status=offline source=manual or any words"
        value={q}
        onChange={(next) => setQuery(next, true)}
      />
      {fleet.data && fleet.data.total > 0 ? <StatusCounts fleet={fleet.data} wide={wide} status={status} /> : null}
      <Silent q={q} sync={sync} why={why.sync} />
      <div>
        <Pending count={pending} onShow={() => void list.refetch()} />
        <Loaded query={list} rows={8}>
          {(rows) =>
            rows.length > 0 ? (
              <DataTable
                label="Instances"
                tall
                columns={[selectColumn(selection, rows, (r) => r.id), ...columnsFor(act, why.write)]}
                rows={rows}
                keyOf={(r) => r.id}
                onOpen={(r) => void navigate({ to: "/nodes/$id", params: { id: r.id } })}
                more={moreOf(list)}
              />
            ) : q ? (
              <Empty title={`No instance matches “${q}”`}>
                <p>Terms are key=value (status, source, gone, or any label); other words match ids and addresses.</p>
                <Button onClick={() => setQuery("")}>Clear the filter</Button>
              </Empty>
            ) : (
              <None act={act} why={why.write} />
            )
          }
        </Loaded>
        <Chosen selection={selection}>
          <Button kind="primary" why={why.sync} onClick={() => sync([...selection.ids])}>
            Sync {plural(selection.ids.size, "instance")}…
          </Button>
        </Chosen>
      </div>
    </>
  );
}

function None({ act, why }: { act: (what: string) => void; why?: string }) {
  return (
    <Empty title="No instance yet">
      <p>An instance is a service that takes its configuration over HTTP. Add one by its address, or let a discovery find them.</p>
      <div style={{ display: "flex", flexWrap: "wrap", gap: 8 }}>
        <Button why={why} onClick={() => act("add")}>
          Add an instance
        </Button>
        <LinkButton to="/instances" search={{ tab: "discoveries", do: "discover" }}>
          Add a discovery
        </LinkButton>
      </div>
    </Empty>
  );
}

/** How many rows of a list by status would come or go if it were asked for now. */
function waiting(rows: InstanceRow[] | undefined, fleet: Fleet | undefined, status: string): number {
  if (!rows || !fleet) return 0;
  const still = rows.filter((r) => r.status === status).length;
  return rows.length - still + Math.max(0, (fleet.counts[status as Status] ?? 0) - still);
}

function StatusCounts({ fleet, wide, status }: { fleet: Fleet; wide: string; status?: string }) {
  return (
    <CountsBar
      counts={fleet.counts}
      total={fleet.total}
      current={status ?? ""}
      link={(next, className, pressed, children) => (
        <Link
          to="/instances"
          search={(s) => ({ ...s, q: withTerm(wide, "status", next || undefined) || undefined })}
          className={className}
          aria-current={pressed ? "true" : undefined}
          resetScroll={false}
        >
          {children}
        </Link>
      )}
    />
  );
}
