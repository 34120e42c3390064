import { useQuery } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useState, useSyncExternalStore } from "react";
import { clusterQuery } from "../data/admin";
import type { Collected } from "../data/events";
import { answered } from "../data/http";
import type { Live } from "../data/live";
import { connection, type Connection } from "../lib/connection";

const Context = createContext<Live | undefined>(undefined);
export const LiveProvider = Context.Provider;

export function useLive(): Live {
  const live = useContext(Context);
  if (!live) throw new Error("LiveProvider is missing above this component");
  return live;
}

/** How many changes of a list wait, and a function that lets them in. */
export function usePending(list: Collected): [count: number, clear: () => void] {
  const live = useLive();
  const count = useSyncExternalStore(live.subscribe, () => live.pending(list));
  // A list that opens now shows everything already.
  useEffect(() => live.clear(list), [live, list]);
  return [count, () => live.clear(list)];
}

/** What the chip in the header says. */
export function useConnection(): Connection {
  const live = useLive();
  const phase = useSyncExternalStore(live.subscribe, () => live.phase);
  const { data: cluster } = useQuery(clusterQuery);
  const [stale, setStale] = useState(answered.staleSeconds);
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    answered.listener = setStale;
    return () => {
      answered.listener = undefined;
    };
  }, []);
  useEffect(() => {
    if (phase !== "lost") return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [phase]);
  return connection({ phase, lostAt: live.lostAt, now, stale: cluster?.stale_seconds ?? stale, quorum: cluster?.quorum, leader: cluster?.leader });
}
