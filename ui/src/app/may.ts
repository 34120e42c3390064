import { useQuery } from "@tanstack/react-query";
import { inPrefixes, meQuery, whyNot } from "../data/session";
import type { Me, Role } from "../data/types";
import { useConnection } from "./live";

export function useMe(): Me | undefined {
  return useQuery(meQuery).data;
}

/** Why a write that asks for a role cannot be made now; undefined when it can. */
export function useWhyNot(role: Role, document?: string): string | undefined {
  const me = useMe();
  const { kind } = useConnection();
  if (kind === "no-leader") return "No leader: nothing can be changed until a majority of controllers answers.";
  if (document !== undefined && me && !inPrefixes(me.prefixes, document)) {
    return `Outside your prefixes: ${me.prefixes?.join(", ")}.`;
  }
  return whyNot(me, role);
}
