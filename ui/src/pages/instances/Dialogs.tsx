import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { discoveryList, instanceList, instanceQuery } from "../../data/instances";
import { Dialog } from "../../parts/Dialog";
import { Loaded } from "../../parts/State";
import { DiscoveryDialog } from "./DiscoveryDialog";
import { InstanceDialog } from "./InstanceDialog";
import { RemoveDiscovery } from "./RemoveDiscovery";
import { RemoveInstance } from "./RemoveInstance";
import { SyncDialog } from "./SyncDialog";

export interface Why {
  write?: string;
  sync?: string;
}

interface Props {
  /** The chosen instances at the moment that the dialog opened. */
  frozen?: string[];
  act: (what?: string) => void;
  why: Why;
}

/** The dialog that the URL names: ?do=add, edit:ID, remove:ID, sync:all, sync:chosen, discover, undiscover:ID. */
export function Dialogs({ frozen, act, why }: Props) {
  const search = useSearch({ from: "/shell/instances" });
  const verb = (search.do ?? "").split(":", 1)[0]!;
  const what = (search.do ?? "").slice(verb.length + 1);
  const close = () => act(undefined);
  switch (verb) {
    case "add":
      return <InstanceDialog why={why.write} onClose={close} />;
    case "discover":
      return <DiscoveryDialog why={why.write} onClose={close} />;
    case "edit":
    case "remove":
      return <OfInstance key={search.do} verb={verb} id={what} why={why.write} onClose={close} />;
    case "undiscover":
      return <OfDiscovery id={what} why={why.write} onClose={close} />;
    case "sync":
      return <Sync ids={what === "all" ? undefined : (frozen ?? [])} why={why.sync} onClose={close} />;
  }
  return null;
}

function OfInstance({ verb, id, why, onClose }: { verb: string; id: string; why?: string; onClose: () => void }) {
  const query = useQuery(instanceQuery(id));
  const title = verb === "edit" ? `Edit ${id}` : `Remove ${id}`;
  if (!query.data) {
    return (
      <Dialog open onClose={onClose} title={title}>
        <Loaded query={query} rows={4}>
          {() => null}
        </Loaded>
      </Dialog>
    );
  }
  return verb === "edit" ? (
    <InstanceDialog instance={query.data} why={why} onClose={onClose} />
  ) : (
    <RemoveInstance instance={query.data} why={why} onClose={onClose} />
  );
}

function OfDiscovery({ id, why, onClose }: { id: string; why?: string; onClose: () => void }) {
  const { data } = useInfiniteQuery(discoveryList());
  const discovery = data?.find((d) => d.id === id);
  return discovery ? <RemoveDiscovery discovery={discovery} why={why} onClose={onClose} /> : null;
}

function Sync({ ids, why, onClose }: { ids?: string[]; why?: string; onClose: () => void }) {
  const search = useSearch({ from: "/shell/instances" });
  const all = useInfiniteQuery(instanceList(""));
  // A reloaded page has lost what was chosen; to sync all instead would be a surprise.
  if (ids?.length === 0 || !all.data) return null;
  return <SyncDialog ids={ids} known={all.data} more={all.hasNextPage} document={search.document} why={why} onClose={onClose} />;
}
