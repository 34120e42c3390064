// Who is logged in, and what that role may do. The server decides; this only spares people a refused click.

import { queryOptions } from "@tanstack/react-query";
import { get, send } from "./http";
import { keys } from "./keys";
import type { Me, Role } from "./types";

export const roles: readonly Role[] = ["viewer", "editor", "approver", "operator", "admin"];

export const meQuery = queryOptions({
  queryKey: keys.me,
  queryFn: ({ signal }) => get<Me>("/me", signal),
  staleTime: 60_000,
  retry: false,
});

export const login = (user: string, password: string) => send<unknown>("POST", "/login", { user, password });
export const logout = () => send<void>("POST", "/logout", {});

/** What can be done, and the lowest role that may; the server's table is the one that counts. */
export const needs = {
  "documents.write": "editor",
  "pushes.retry": "operator",
  "nodes.write": "operator",
  "nodes.enroll": "operator",
  "instances.write": "operator",
  "instances.sync": "operator",
  "deadletters.write": "operator",
  "cluster.write": "admin",
  "users.write": "admin",
  "tokens.write": "admin",
} as const satisfies Record<string, Role>;
export type Permission = keyof typeof needs;

/** Why this person may not do a thing; undefined when allowed. */
export function whyNot(me: Me | undefined, permission: Permission): string | undefined {
  if (!me || me.permissions?.includes(permission)) return undefined;
  const wanted = needs[permission];
  const article = /^[aeo]/.test(wanted) ? "an" : "a";
  return `Needs ${article} ${wanted}; you are ${me.role}.`;
}

/** Whether a document lies within the prefixes of a person; no prefixes means all documents. */
export function inPrefixes(prefixes: string[] | null | undefined, name: string): boolean {
  if (!prefixes || prefixes.length === 0) return true;
  return prefixes.some((p) => p === "" || p === "*" || name === p || name.startsWith(p.endsWith("/") ? p : `${p}/`));
}
