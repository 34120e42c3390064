// Dead letters: nodes of either kind that refused for good, or failed too often, and wait for a person.

import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { get, query, send } from "./http";
import { keys } from "./keys";
import { everyRow, listOptions } from "./pages";
import type { Cause, DeadLetter } from "./types";

export interface DeadLetterFilter {
  [key: string]: string | undefined;
  q?: string;
  cause?: string;
  document?: string;
  kind?: string;
}

export const deadLetterList = (filter: DeadLetterFilter) =>
  listOptions<DeadLetter>(keys.deadLetterList, "/deadletters", filter, 500);

/** Those that match a filter by what they have in common, the most frequent first. */
export const deadLetterCauses = (filter: DeadLetterFilter = {}) =>
  queryOptions({
    queryKey: [...keys.deadLetterCauses, filter],
    queryFn: async ({ signal }) =>
      (await get<{ items: Cause[] }>(`/deadletters/causes${query(filter)}`, signal)).items ?? [],
    placeholderData: keepPreviousData,
  });

/** How many dead letters came or went since the rows were listed; by cause, so that one for one is two. */
export function moved(rows: readonly DeadLetter[], causes: readonly Cause[]): number {
  const listed = new Map<string, number>();
  for (const r of rows) if (r.cause.id) listed.set(r.cause.id, (listed.get(r.cause.id) ?? 0) + 1);
  let count = 0;
  for (const c of causes) {
    count += Math.abs(c.count - (listed.get(c.cause) ?? 0));
    listed.delete(c.cause);
  }
  for (const gone of listed.values()) count += gone;
  return count;
}

/** The most that one call takes. */
const atOnce = 10_000;

/** The dead letters of this moment that match a filter. */
export const freeze = (filter: DeadLetterFilter) => everyRow<DeadLetter>("/deadletters", filter, atOnce);

export const retryDeadLetters = async (ids: string[]) =>
  (await send<{ retried: number }>("POST", "/deadletters/retry", { ids })).retried;
export const discardDeadLetters = async (ids: string[]) =>
  (await send<{ discarded: number }>("POST", "/deadletters/discard", { ids })).discarded;
