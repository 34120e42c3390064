import type { Peer } from "../../data/types";
import { plural } from "../../lib/words";

/**
 * Whether controllers that stand at the same index hold the same state. One that lags is not compared: its hash is of
 * an older state.
 */
export function agreement(peers: Peer[]): { agree: boolean; differ: boolean; words: string } {
  const known = peers.filter((p) => p.alive && p.state_hash);
  const byApplied = new Map<number, Set<string>>();
  for (const p of known) {
    const at = p.applied ?? 0;
    byApplied.set(at, (byApplied.get(at) ?? new Set()).add(p.state_hash!));
  }
  const differ = [...byApplied.values()].some((hashes) => hashes.size > 1);
  if (differ) return { agree: false, differ, words: "differs at one index" };
  const same = new Set(known.map((p) => p.state_hash)).size === 1;
  if (known.length > 1 && same) return { agree: true, differ, words: `equal on ${plural(known.length, "controller")}` };
  if (known.length === 1) return { agree: true, differ, words: "one controller, nothing to compare" };
  return { agree: false, differ, words: known.length === 0 ? "not reported yet" : "catching up" };
}
