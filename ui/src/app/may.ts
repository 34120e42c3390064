import { useQuery } from "@tanstack/react-query";
import { inPrefixes, meQuery, type Permission, whyNot } from "../data/session";
import type { Me } from "../data/types";
import { useConnection } from "./live";

export function useMe(): Me | undefined {
  return useQuery(meQuery).data;
}

/** Why a write cannot be made now; undefined when it can. */
export function useWhyNot(permission: Permission, document?: string): string | undefined {
  const me = useMe();
  const { kind } = useConnection();
  if (kind === "no-leader") return "No leader: nothing can be changed until a majority of controllers answers.";
  if (document !== undefined && me && !inPrefixes(me.prefixes, document)) {
    return `Outside your prefixes: ${me.prefixes?.join(", ")}.`;
  }
  return whyNot(me, permission);
}
