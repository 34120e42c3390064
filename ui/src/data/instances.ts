// Instances, the nodes that controllers call over HTTP, and the sources that find them.

import { queryOptions } from "@tanstack/react-query";
import { get, query, seg, send } from "./http";
import { keys } from "./keys";
import { listOptions } from "./pages";
import type { Discovery, InstanceRow, SyncAnswer, VerifyAnswer } from "./types";

export const instanceList = (q: string) => listOptions<InstanceRow>(keys.instanceList, "/instances", { q }, 500);

/** The same, but a live event takes no row in or out. */
export const instanceHeld = (q: string) => listOptions<InstanceRow>(keys.instanceHeld, "/instances", { q }, 500);

export const instanceQuery = (id: string) =>
  queryOptions({ queryKey: keys.instance(id), queryFn: ({ signal }) => get<InstanceRow>(`/instances/${seg(id)}`, signal) });

/** PEM texts; an empty one is the machine's usual trust, or no client certificate. */
export interface Tls {
  ca?: string;
  server_name?: string;
  cert?: string;
  key?: string;
}

export interface NewInstance {
  id?: string;
  url: string;
  token?: string;
  labels?: Record<string, string>;
  accepts?: string[];
  tls?: Tls;
}

/** What changes; what is absent stays. An empty token takes it away. */
export interface InstancePatch {
  url?: string;
  token?: string;
  labels?: Record<string, string | null>;
  accepts?: string[];
  tls?: Tls;
}

export const addInstance = (i: NewInstance) => send<InstanceRow>("POST", "/instances", i);
export const changeInstance = (id: string, patch: InstancePatch) => send<InstanceRow>("PATCH", `/instances/${seg(id)}`, patch);
export const removeInstance = (id: string) => send<void>("DELETE", `/instances/${seg(id)}`);

/** How long a sync waits for its instances; those that need longer are told as waiting. */
const syncTimeout = "10s";

/** Sends again what is wanted, to these instances or to all, and answers with a result for each. */
export const syncInstances = (what: { document?: string; ids?: string[] }) =>
  send<SyncAnswer>("POST", "/instances/sync", { ...what, timeout: syncTimeout });

/** Asks every instance what it holds. It is asked for by a person, never by the clock or by a live event. */
export const verifyQuery = (document: string) =>
  queryOptions({
    queryKey: [...keys.verify, document],
    queryFn: ({ signal }) => get<VerifyAnswer>(`/instances/verify${query({ document })}`, signal),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    refetchOnWindowFocus: false,
    retry: false,
  });

export const discoveryList = () => listOptions<Discovery>(keys.discoveries, "/discoveries");

export type NewDiscovery = Omit<Discovery, "found" | "error" | "instances" | "consul"> & {
  token?: string;
  tls?: Tls;
  consul?: NonNullable<Discovery["consul"]> & { token?: string };
};
export const addDiscovery = (d: NewDiscovery) => send<Discovery>("POST", "/discoveries", d);
export const removeDiscovery = (id: string) => send<void>("DELETE", `/discoveries/${seg(id)}`);
