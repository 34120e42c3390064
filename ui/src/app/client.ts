import { QueryClient } from "@tanstack/react-query";
import { ApiError } from "../data/http";

// Nothing changes by asking again after a 4xx; a controller that is away is asked twice more.
const again = (count: number, error: Error) =>
  !(error instanceof ApiError && error.status >= 400 && error.status < 500) && count < 2;

export function makeClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        retry: again,
        retryDelay: (n) => 500 * 2 ** n,
        refetchOnWindowFocus: true,
        networkMode: "always",
      },
      mutations: { retry: false, networkMode: "always" },
    },
  });
}
