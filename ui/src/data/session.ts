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

/** Whether a role is at least another: viewer < editor < approver < operator < admin. */
export function atLeast(role: Role | undefined, wanted: Role): boolean {
  return roles.indexOf(role ?? "viewer") >= roles.indexOf(wanted);
}

/** Why this person may not do a thing that asks for a role; undefined when allowed. */
export function whyNot(me: Me | undefined, wanted: Role): string | undefined {
  if (!me || atLeast(me.role, wanted)) return undefined;
  const article = /^[aeo]/.test(wanted) ? "an" : "a";
  return `Needs ${article} ${wanted}; you are ${me.role}.`;
}

/** Whether a document lies within the prefixes of a person; no prefixes means all documents. */
export function inPrefixes(prefixes: string[] | null | undefined, name: string): boolean {
  if (!prefixes || prefixes.length === 0) return true;
  return prefixes.some((p) => p === "" || p === "*" || name === p || name.startsWith(p.endsWith("/") ? p : `${p}/`));
}
