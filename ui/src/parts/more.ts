import { type UseInfiniteQueryResult } from "@tanstack/react-query";

/** What the foot of a table needs of an infinite query. */
export function moreOf(query: Pick<UseInfiniteQueryResult, "hasNextPage" | "isFetchingNextPage" | "fetchNextPage">) {
  return { has: query.hasNextPage, busy: query.isFetchingNextPage, load: () => void query.fetchNextPage() };
}
