import type { Status } from "../../data/types";
import type { Verdict } from "../../lib/instances";

/** Shape and word of what a verification found. */
export const verdictMark: Record<Verdict, [Status, string]> = {
  silent: ["offline", "no answer"],
  differs: ["reverted", "differs"],
  unverified: ["acked", "unverified"],
  same: ["acked", "in sync"],
};
