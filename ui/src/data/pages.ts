// Lists are paged by the server: one cursor after another, gathered by an infinite query.

import { infiniteQueryOptions, keepPreviousData } from "@tanstack/react-query";
import { get, query } from "./http";
import type { Page } from "./types";

export type Params = Record<string, string | number | boolean | undefined>;

export function listOptions<T>(key: readonly unknown[], path: string, params: Params = {}, limit = 200) {
  return infiniteQueryOptions({
    queryKey: [...key, params] as readonly unknown[],
    queryFn: ({ pageParam, signal }) =>
      get<Page<T>>(path + query({ ...params, limit, cursor: pageParam || undefined }), signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_cursor || undefined,
    // Old rows stay while a filter's new ones are on their way.
    placeholderData: keepPreviousData,
    select: (data) => data.pages.flatMap((page) => page.items ?? []),
  });
}

/** Every row of a list, page after page, up to a number of them: what a frozen selection is made of. */
export async function everyRow<T>(path: string, params: Params, atMost: number, signal?: AbortSignal): Promise<T[]> {
  const rows: T[] = [];
  let cursor = "";
  do {
    const limit = Math.min(1000, atMost - rows.length);
    const page = await get<Page<T>>(path + query({ ...params, limit, cursor: cursor || undefined }), signal);
    rows.push(...(page.items ?? []));
    cursor = page.next_cursor ?? "";
  } while (cursor && rows.length < atMost);
  return rows;
}
