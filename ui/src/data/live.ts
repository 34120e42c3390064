// The one event stream of this browser tab. It patches the query cache, asks for what it cannot patch (never more often
// than the steps say), and counts what waits to be shown. Owner of the EventSource and of every timer in here: the app
// shell, through start and stop.

import type { InfiniteData, QueryClient, QueryKey } from "@tanstack/react-query";
import { type Collected, finished, type NodeChange, patchFleet, patchPush, patchRows, reduceEvent, type Step } from "./events";
import { keys } from "./keys";
import type { DeadLetter, Fleet, InstanceRow, NodeRow, Page, PushRow, TargetRow } from "./types";

export type Phase = "connecting" | "open" | "lost";

const eventTypes = ["revision", "push", "node", "peer", "gap"];
const reopenAfter = 2_000;

export class Live {
  phase: Phase = "connecting";
  /** When the stream was lost, in milliseconds since 1970. */
  lostAt = 0;
  private readonly client: QueryClient;
  private source: EventSource | undefined;
  private reopen: ReturnType<typeof setTimeout> | undefined;
  private readonly waiting = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly lastRun = new Map<string, number>();
  private readonly collected = new Map<Collected, Set<string>>();
  private readonly listeners = new Set<() => void>();

  constructor(client: QueryClient) {
    this.client = client;
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };

  start() {
    this.open(false);
  }

  stop() {
    this.source?.close();
    this.source = undefined;
    clearTimeout(this.reopen);
    for (const timer of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
    this.collected.clear();
    this.phase = "connecting";
  }

  /** How many changes of a list wait to be shown. */
  pending(list: Collected): number {
    return this.collected.get(list)?.size ?? 0;
  }

  clear(list: Collected) {
    if (!this.collected.delete(list)) return;
    this.tell();
  }

  private open(again: boolean) {
    const source = new EventSource("/api/v1/events");
    this.source = source;
    source.onopen = () => {
      this.set("open");
      // A stream opened anew knows nothing of what passed meanwhile; one the browser resumed sends Last-Event-ID.
      if (again) void this.client.invalidateQueries();
    };
    source.onerror = () => {
      this.set("lost");
      if (source.readyState !== EventSource.CLOSED) return;
      source.close();
      this.reopen = setTimeout(() => this.open(true), reopenAfter);
      // Perhaps the session ended: the answer to this leads to the login.
      void this.client.invalidateQueries({ queryKey: keys.me });
    };
    for (const type of eventTypes) {
      source.addEventListener(type, (event) => {
        for (const step of reduceEvent(type, (event as MessageEvent<string>).data)) this.run(step);
      });
    }
  }

  private set(phase: Phase) {
    if (phase === this.phase) return;
    if (phase === "lost") this.lostAt = Date.now();
    this.phase = phase;
    this.tell();
  }

  private tell() {
    for (const listener of this.listeners) listener();
  }

  private run(step: Step) {
    switch (step.do) {
      case "nodes":
        return this.patchNodes(step.nodes);
      case "push":
        return this.patchPushes(step.push);
      case "collect":
        return this.collect(step.list, [step.id]);
      case "refetch":
        return this.refetch(step.key, step.within);
      case "refetchAll":
        void this.client.invalidateQueries();
        return;
    }
  }

  private collect(list: Collected, ids: Iterable<string>) {
    const set = this.collected.get(list) ?? new Set<string>();
    const before = set.size;
    for (const id of ids) set.add(id);
    this.collected.set(list, set);
    if (set.size !== before) this.tell();
  }

  private refetch(key: QueryKey, within: number) {
    const name = JSON.stringify(key);
    if (this.waiting.has(name)) return;
    const run = () => {
      this.waiting.delete(name);
      this.lastRun.set(name, Date.now());
      void this.client.invalidateQueries({ queryKey: key }, { cancelRefetch: false });
    };
    const wait = Math.max(0, (this.lastRun.get(name) ?? 0) + within - Date.now());
    this.waiting.set(name, setTimeout(run, wait));
  }

  private patchNodes(nodes: NodeChange[]) {
    const changes = new Map(nodes.map((n) => [n.id, n]));
    this.client.setQueriesData<Fleet>({ queryKey: keys.fleet, predicate: this.liveFleet }, (fleet) =>
      fleet ? patchFleet(fleet, changes) : fleet,
    );
    // A node that the whole fleet does not hold was enrolled just now.
    const whole = this.client.getQueryData<Fleet>([...keys.fleet, {}]);
    if (whole && whole.total === whole.cells.length) {
      const known = new Set(whole.cells.map(([id]) => id));
      if (nodes.some((n) => !known.has(n.id))) this.refetch(keys.fleet, 1000);
    }
    this.patchList<NodeRow>(keys.nodeList, (r) => r.id, changes, "nodes");
    for (const key of [keys.instanceList, keys.instanceHeld, keys.deadLetterList]) this.patchList<InstanceRow | DeadLetter>(key, (r) => r.id, changes);
    for (const [key, push] of this.client.getQueriesData<PushRow>({ queryKey: [...keys.pushes, "one"] })) {
      if (!push || finished(push.state)) continue;
      this.patchList<TargetRow>(keys.targets(String(key[2])), (r) => r.node, changes, "targets");
      this.refetch(keys.targets(push.id), 1000);
    }
  }

  // The strip of a push that has ended is history and stays as it was.
  private liveFleet = (q: { queryKey: QueryKey }) => {
    const push = (q.queryKey[1] as { push?: string } | undefined)?.push;
    const row = push ? this.client.getQueryData<PushRow>(keys.push(push)) : undefined;
    return !row || !finished(row.state);
  };

  private patchList<T extends { status: NodeChange["status"]; connected: boolean; in_sync?: boolean }>(
    key: QueryKey,
    idOf: (row: T) => string,
    changes: ReadonlyMap<string, NodeChange>,
    list?: Collected,
  ) {
    const touched = new Set<string>();
    this.client.setQueriesData<InfiniteData<Page<T>>>({ queryKey: key }, (data) => {
      if (!data) return data;
      const pages = data.pages.map((page) => {
        const patched = patchRows(page.items ?? [], idOf, changes);
        for (const id of patched.touched) touched.add(id);
        return patched.rows === page.items ? page : { ...page, items: patched.rows as T[] };
      });
      return pages.some((page, i) => page !== data.pages[i]) ? { ...data, pages } : data;
    });
    if (list) this.collect(list, [...changes.keys()].filter((id) => !touched.has(id)));
  }

  private patchPushes(change: Parameters<typeof patchPush>[1]) {
    let known = false;
    this.client.setQueryData<PushRow>(keys.push(change.id), (row) => (row ? patchPush(row, change) : row));
    this.client.setQueriesData<InfiniteData<Page<PushRow>>>({ queryKey: keys.pushList }, (data) => {
      if (!data) return data;
      const pages = data.pages.map((page) => {
        if (!page.items?.some((row) => row.id === change.id)) return page;
        known = true;
        return { ...page, items: page.items.map((row) => patchPush(row, change)) };
      });
      return { ...data, pages };
    });
    if (!known) this.collect("pushes", [change.id]);
  }
}
