// Pushes and nodes: what runs where, and how a push gets on.

import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { get, query, seg, send } from "./http";
import { keys } from "./keys";
import { listOptions } from "./pages";
import type { Cause, Fleet, NodeFull, NodeRow, PushRow, TargetRow, Why } from "./types";

export const pushList = (filter: { state?: string; document?: string }) =>
  listOptions<PushRow>(keys.pushList, "/pushes", filter, 100);

export const pushQuery = (id: string) =>
  queryOptions({ queryKey: keys.push(id), queryFn: ({ signal }) => get<PushRow>(`/pushes/${seg(id)}`, signal) });

export const targetList = (id: string, filter: { status?: string; cause?: string }) =>
  listOptions<TargetRow>(keys.targets(id), `/pushes/${seg(id)}/targets`, filter, 500);

export const causesQuery = (id: string) =>
  queryOptions({
    queryKey: keys.causes(id),
    queryFn: async ({ signal }) => (await get<{ items: Cause[] }>(`/pushes/${seg(id)}/causes`, signal)).items ?? [],
  });

export const retryPush = (id: string) => send<{ retried: number }>("POST", `/pushes/${seg(id)}/retry`, {});

export const fleetQuery = (filter: { push?: string; q?: string }) =>
  queryOptions({
    queryKey: [...keys.fleet, filter],
    queryFn: ({ signal }) => get<Fleet>(`/fleet${query(filter)}`, signal),
    placeholderData: keepPreviousData,
  });

export const nodeList = (q: string, sort: string) => listOptions<NodeRow>(keys.nodeList, "/nodes", { q, sort }, 500);

/** Nodes that somebody changed where Drover leaves it at that. */
export const driftHeld = () => listOptions<NodeRow>([...keys.nodes, "drift"], "/nodes", { q: "drift=held" }, 100);

export const nodeQuery = (id: string) =>
  queryOptions({ queryKey: keys.node(id), queryFn: ({ signal }) => get<NodeFull>(`/nodes/${seg(id)}`, signal) });

export const whyQuery = (id: string) =>
  queryOptions({ queryKey: keys.why(id), queryFn: ({ signal }) => get<Why>(`/nodes/${seg(id)}/why`, signal) });

/** Sets labels; null takes one away. */
export const setLabels = (id: string, labels: Record<string, string | null>) =>
  send<NodeFull>("PATCH", `/nodes/${seg(id)}`, { labels });
export const removeNode = (id: string) => send<void>("DELETE", `/nodes/${seg(id)}`);
export const resyncNode = (id: string) => send<unknown>("POST", `/nodes/${seg(id)}/resync`, {});
export const retryNode = (id: string) => send<{ retried: number }>("POST", `/nodes/${seg(id)}/retry`, {});

export interface Enrolment {
  node?: string;
  labels: Record<string, string>;
  uses?: number;
  expires?: string;
}
export const enroll = (e: Enrolment) => send<{ token: string; expires?: string }>("POST", "/nodes/enroll", e);
