// What a live event means for the cached data, as pure functions: the event in, steps and patched rows out.

import { keys } from "./keys";
import type { Counts, Fleet, PushRow, Status } from "./types";

export interface NodeChange {
  id: string;
  status: Status;
  connected: boolean;
  in_sync: boolean;
  /** It is no node any more; the rest says nothing then. */
  removed?: boolean;
}

export interface PushChange {
  id: string;
  revision: number;
  state: PushRow["state"];
  counts: Counts;
}

/** Lists whose new rows wait behind "14 changes – show". */
export type Collected = "revisions" | "pushes" | "nodes" | "targets" | "audit";

export type Step =
  | { do: "nodes"; nodes: NodeChange[] }
  | { do: "push"; push: PushChange }
  | { do: "collect"; list: Collected; id: string }
  /** At most once every `within` milliseconds a key. */
  | { do: "refetch"; key: readonly unknown[]; within: number }
  | { do: "refetchAll" };

const pushWithin = 250;
const listWithin = 1000;
/** Whole lists, whose rows are in nobody's event. */
const slowly = 2000;

export const finished = (state: string) => state !== "running" && state !== "scheduled" && state !== "paused";

/** Turns one event of the stream into steps; an event that is not known, or not readable, changes nothing. */
export function reduceEvent(type: string, text: string): Step[] {
  let data: Record<string, unknown>;
  try {
    data = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return [];
  }
  switch (type) {
    case "gap":
      return [{ do: "refetchAll" }];
    case "revision":
      return revisionSteps(data);
    case "push":
      return pushSteps(data as unknown as PushChange);
    case "node":
      return nodeSteps(data);
    case "peer":
      return [{ do: "refetch", key: keys.cluster, within: listWithin }];
    default:
      return [];
  }
}

function revisionSteps(data: Record<string, unknown>): Step[] {
  const documents = Array.isArray(data.documents) ? (data.documents as string[]) : [];
  return [
    { do: "collect", list: "revisions", id: String(data.revision) },
    { do: "collect", list: "audit", id: `revision ${String(data.revision)}` },
    { do: "refetch", key: keys.documentList, within: listWithin },
    ...documents.map((name): Step => ({ do: "refetch", key: keys.document(name), within: pushWithin })),
    { do: "refetch", key: [...keys.nodes, "one"], within: listWithin },
  ];
}

function pushSteps(push: PushChange): Step[] {
  const steps: Step[] = [
    { do: "push", push },
    { do: "refetch", key: keys.causes(push.id), within: listWithin },
  ];
  if (finished(push.state)) {
    steps.push(
      { do: "refetch", key: keys.push(push.id), within: pushWithin },
      { do: "refetch", key: keys.targets(push.id), within: listWithin },
      { do: "refetch", key: keys.fleet, within: listWithin },
    );
  }
  return steps;
}

function nodeSteps(data: Record<string, unknown>): Step[] {
  const common: Step[] = [
    { do: "refetch", key: [...keys.pushes, "one"], within: pushWithin },
    { do: "refetch", key: [...keys.nodes, "why"], within: listWithin },
    { do: "refetch", key: keys.instanceList, within: slowly },
    { do: "refetch", key: [...keys.instances, "one"], within: listWithin },
    { do: "refetch", key: keys.deadLetterCauses, within: slowly },
    { do: "refetch", key: [...keys.nodes, "drift"], within: slowly },
  ];
  if (!Array.isArray(data.nodes)) {
    return [
      ...common,
      { do: "refetch", key: keys.nodes, within: listWithin },
      { do: "refetch", key: keys.fleet, within: listWithin },
      { do: "refetch", key: [...keys.pushes, "targets"], within: listWithin },
      { do: "refetch", key: keys.instanceHeld, within: listWithin },
    ];
  }
  const all = data.nodes as NodeChange[];
  const nodes = all.filter((n) => !n.removed);
  // A row that goes, or a node that nobody has seen yet, changes the totals: those are read again.
  const gone: Step[] =
    nodes.length < all.length
      ? [
          { do: "refetch", key: keys.nodeList, within: listWithin },
          { do: "refetch", key: keys.fleet, within: listWithin },
        ]
      : [];
  return [
    { do: "nodes", nodes },
    ...common,
    ...gone,
    ...nodes.slice(0, 20).map((n): Step => ({ do: "refetch", key: keys.node(n.id), within: listWithin })),
  ];
}

interface HasStatus {
  status: Status;
  connected: boolean;
  in_sync?: boolean;
}

/** Rows with the changes put in; the same array when none of them is touched, so that nothing draws again. */
export function patchRows<T extends HasStatus>(
  rows: readonly T[],
  idOf: (row: T) => string,
  changes: ReadonlyMap<string, NodeChange>,
): { rows: readonly T[]; touched: Set<string> } {
  const touched = new Set<string>();
  const next = rows.map((row) => {
    const change = changes.get(idOf(row));
    if (!change) return row;
    touched.add(change.id);
    const same = row.status === change.status && row.connected === change.connected;
    if (same && (row.in_sync === undefined || row.in_sync === change.in_sync)) return row;
    const patched = { ...row, status: change.status, connected: change.connected };
    return row.in_sync === undefined ? patched : { ...patched, in_sync: change.in_sync };
  });
  const changed = next.some((row, i) => row !== rows[i]);
  return { rows: changed ? next : rows, touched };
}

/** The fleet with the changes put in, its counts moved along. */
export function patchFleet(fleet: Fleet, changes: ReadonlyMap<string, NodeChange>): Fleet {
  let cells: Fleet["cells"] | undefined;
  const counts = { ...fleet.counts };
  fleet.cells.forEach(([id, site, status], i) => {
    const change = changes.get(id);
    if (!change || change.status === status) return;
    cells ??= fleet.cells.slice();
    cells[i] = [id, site, change.status];
    counts[status] = Math.max(0, (counts[status] ?? 0) - 1);
    counts[change.status] = (counts[change.status] ?? 0) + 1;
  });
  return cells ? { ...fleet, cells, counts } : fleet;
}

/** A push with the newer state and counts put in. */
export function patchPush<T extends PushRow>(row: T, change: PushChange): T {
  if (row.id !== change.id) return row;
  return { ...row, state: change.state, counts: { ...row.counts, ...change.counts } };
}
