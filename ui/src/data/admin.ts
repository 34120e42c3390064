// The cluster, the audit log, users and tokens.

import { queryOptions } from "@tanstack/react-query";
import { get, seg, send } from "./http";
import { keys } from "./keys";
import { listOptions } from "./pages";
import type { AuditEntry, AuditVerdict, Cluster, Role, TokenRow, UserRow } from "./types";

export const clusterQuery = queryOptions({
  queryKey: keys.cluster,
  queryFn: ({ signal }) => get<Cluster>("/cluster", signal),
  // An election takes a moment: as soon as it is over, people may write again.
  refetchInterval: ({ state }) => (state.data?.quorum === false || state.error ? 1_000 : 5_000),
  retry: false,
});

export const clusterToken = () => send<{ token: string; expires?: string; command?: string }>("POST", "/cluster/tokens", {});
/** The cluster chooses who follows: the healthy voter that is furthest on. */
export const transferLeader = () => send<unknown>("POST", "/cluster/transfer-leader", {});
export const removePeer = (name: string) => send<unknown>("POST", "/cluster/remove", { name });

export interface AuditFilter {
  [key: string]: string | undefined;
  actor?: string;
  action?: string;
  object?: string;
}
export const auditList = (filter: AuditFilter) => listOptions<AuditEntry>(keys.audit, "/audit", filter, 200);
export const verifyAudit = () => get<AuditVerdict>("/audit/verify");
export const auditExport = "/api/v1/audit/export";

export const userList = () => listOptions<UserRow>(keys.users, "/users");
export const addUser = (u: { user: string; password: string; role: Role; prefixes: string[] }) =>
  send<unknown>("POST", "/users", u);
export const changeUser = (user: string, patch: { password?: string; role?: Role; prefixes?: string[] }) =>
  send<unknown>("PATCH", `/users/${seg(user)}`, patch);
export const removeUser = (user: string) => send<void>("DELETE", `/users/${seg(user)}`);

export const tokenList = () => listOptions<TokenRow>(keys.tokens, "/tokens");
export const addToken = (t: { name: string; role: Role; prefixes: string[]; expires?: string }) =>
  send<{ id: string; token: string }>("POST", "/tokens", t);
export const removeToken = (id: string) => send<void>("DELETE", `/tokens/${seg(id)}`);
