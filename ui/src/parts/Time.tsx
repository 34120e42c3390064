import { useEffect, useState, useSyncExternalStore } from "react";
import { prefs } from "../lib/prefs";
import { absolute, nextTick, relative } from "../lib/time";

/** Relative in the text, absolute on hover; absolute in the text where `full` is set. */
export function Time({ at, full }: { at: string | undefined; full?: boolean }) {
  const { utc } = useSyncExternalStore(prefs.subscribe, prefs.get);
  const ms = at ? Date.parse(at) : Number.NaN;
  const now = useNow(ms, !full);
  if (Number.isNaN(ms)) return <span>–</span>;
  return (
    <time dateTime={at} title={absolute(ms, utc)}>
      {full ? absolute(ms, utc) : relative(ms, now)}
    </time>
  );
}

function useNow(at: number, ticking: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!ticking || Number.isNaN(at)) return;
    const timer = setTimeout(() => setNow(Date.now()), nextTick(at, now));
    return () => clearTimeout(timer);
  }, [at, now, ticking]);
  return now;
}
