// The shapes of the HTTP API (see docs, or /api/v1/openapi.json). Times are RFC 3339 strings in UTC.

export const statuses = [
  "dead_letter",
  "reverted",
  "retrying",
  "offline",
  "pending",
  "in_flight",
  "acked",
] as const;
/** The status of a node, worst first in `statuses`. */
export type Status = (typeof statuses)[number];
export type Counts = Record<Status, number>;

export type Role = "viewer" | "editor" | "approver" | "operator" | "admin";

export interface Page<T> {
  items: T[];
  next_cursor?: string;
}

export interface Me {
  user: string;
  role: Role;
  prefixes?: string[] | null;
  cluster: { name: string; id: string; epoch: number };
  permissions?: string[];
  expires?: string;
}

export interface Problem {
  pointer: string;
  message: string;
  document?: string;
}

export interface DocumentRow {
  document: string;
  target: string;
  selector: string;
  version: number;
  revision: number;
  checksum: string;
  bytes: number;
  updated: string;
  author: string;
  message: string;
  nodes: number;
  has_schema: boolean;
  deleted?: boolean;
}

export interface DocumentFull extends DocumentRow {
  /** Pretty-printed from the text of the answer: number literals and key order as stored. */
  text: string;
  schemaText: string;
  policy: unknown;
  actions: string[];
}

export interface VersionRow {
  version: number;
  revision: number;
  time: string;
  author: string;
  message: string;
  checksum: string;
  bytes: number;
}

export interface VersionFull extends VersionRow {
  text: string;
}

export interface PatchOp {
  op: string;
  path: string;
  from?: string;
  /** The JSON text of the new and the old value. */
  value?: string;
  old?: string;
}

export interface DocumentDiff {
  document: string;
  from: number;
  to: number;
  patch: PatchOp[];
}

export interface WriteAnswer {
  document: string;
  version: number;
  revision: number;
  checksum: string;
  push: string;
  unchanged?: boolean;
  /** Without a document: about this one. */
  warnings?: Problem[];
}

export interface DryRun {
  valid: boolean;
  problems: Problem[];
  warnings: Problem[];
  affected: { nodes: number; by_document?: Record<string, number> };
  diff: { document: string; from?: number; to?: number; patch: PatchOp[] }[];
}

export interface RevisionRow {
  revision: number;
  time: string;
  author: string;
  message: string;
  edits: { document: string; op: string; from?: number; to?: number }[];
  push?: string;
}

export interface PushRow {
  id: string;
  revision: number;
  strategy: string;
  state: "scheduled" | "running" | "paused" | "done" | "done_with_failures" | "aborted" | "superseded";
  counts: Counts;
  total: number;
  documents: string[];
  message: string;
  author: string;
  started: string;
  finished?: string;
  /** The id of the push that took over. */
  superseded_by?: string;
  actions?: string[];
}

export interface NodeError {
  target?: string;
  stage?: string;
  code: string;
  pointer?: string;
  message: string;
  log_tail?: string;
  at?: string;
}

export interface TargetRow {
  node: string;
  status: Status;
  connected: boolean;
  peer?: string;
  attempts: number;
  error?: NodeError;
  reported?: { manifest?: string; index?: number };
  updated?: string;
}

export interface Cause {
  cause: string;
  code: string;
  stage?: string;
  target?: string;
  pointer?: string;
  message: string;
  count: number;
  nodes: string[];
}

/** One cell of the fleet strip: node, site, status. */
export type FleetCell = [id: string, site: string, status: Status];

export interface Fleet {
  index: string | number;
  total: number;
  counts: Counts;
  cells: FleetCell[];
}

export interface NodeRow {
  id: string;
  kind: string;
  labels: Record<string, string>;
  facts?: Record<string, unknown>;
  agent_version?: string;
  connected: boolean;
  peer?: string;
  desired?: { revision?: number; manifest?: string };
  reported?: { revision?: number; manifest?: string; epoch?: number; index?: number };
  in_sync: boolean;
  status: Status;
  attempts: number;
  last_error?: NodeError;
  enrolled?: string;
}

export interface NodeDocument {
  document: string;
  target: string;
  version?: number;
  wanted_version?: number;
  accepted_version?: number;
  refused_version?: number;
}

export interface NodeFull extends NodeRow {
  documents: NodeDocument[];
  actions: string[];
}

export interface Why {
  node: string;
  status: Status;
  in_sync: boolean;
  summary: string;
  reasons: { code: string; message: string; document?: string; pointer?: string; next?: string }[];
}

export interface Peer {
  name: string;
  id: string;
  role: "leader" | "voter" | "non-voter";
  alive: boolean;
  url?: string;
  address?: string;
  lag?: number;
  state_hash?: string;
  version?: string;
  sessions?: number;
  applied?: number;
}

export interface Cluster {
  name: string;
  id: string;
  epoch: number;
  leader?: string;
  term: number;
  index: number | string;
  quorum: boolean;
  voters: number;
  tolerates: number;
  feature_level?: number;
  stale_seconds?: number;
  peers: Peer[];
}

export interface AuditEntry {
  seq: number;
  time: string;
  actor: string;
  action: string;
  object: string;
  detail?: unknown;
  /** "done", or the code of the refusal. */
  outcome: string;
  request_id?: string;
  revision?: number;
  hash: string;
}

export interface AuditVerdict {
  valid: boolean;
  entries: number;
  first?: number;
  last?: number;
  broken_at?: number;
}

export interface UserRow {
  user: string;
  role: Role;
  prefixes?: string[] | null;
  created?: string;
  disabled?: boolean;
}

export interface TokenRow {
  id: string;
  name: string;
  role: Role;
  prefixes?: string[] | null;
  created?: string;
  expires?: string;
  last_used?: string;
}
