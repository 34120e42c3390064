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
  drift?: Drift;
}

/** What somebody changed on a node, and whether that is left so until a person has seen it. */
export interface Drift {
  targets: string[];
  held: boolean;
  since?: string;
}

export interface NodeDocument {
  document: string;
  target: string;
  version?: number;
  wanted_version?: number;
  accepted_version?: number;
  refused_version?: number;
  /** An instance puts values of its own into the document: its hash cannot be told from here. */
  unverified?: boolean;
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

/** What was seen to be wrong with an instance though it works. */
export interface Warning {
  code: string;
  message: string;
}

export interface Unreachable {
  code: string;
  message: string;
  time?: string;
}

/** A node that a controller calls over HTTP. */
export interface InstanceRow {
  id: string;
  url: string;
  labels?: Record<string, string>;
  accepts: string[];
  /** "manual", or the id of the discovery that found it. */
  source: string;
  /** Since when its discovery does not find it any more. */
  gone?: string;
  has_token: boolean;
  tls?: { ca?: boolean; server_name?: string; cert?: boolean };
  connected: boolean;
  /** The controller that calls it. */
  owner?: string;
  status: Status;
  in_sync: boolean;
  last_error?: NodeError;
  unreachable?: Unreachable;
  facts?: Record<string, unknown>;
  warnings?: Warning[];
  /** Targets that it holds and nobody wants there. */
  unmanaged?: string[];
  documents?: NodeDocument[];
  attempts: number;
  drift?: Drift;
  added?: string;
  actions?: string[];
}

export interface Synced {
  id: string;
  status: Status;
  in_sync: boolean;
  error?: { code: string; message: string };
}

export interface SyncAnswer {
  document?: string;
  instances: Synced[];
  synced: number;
  failed: number;
  waiting: number;
}

export interface Verified {
  id: string;
  document?: string;
  target?: string;
  in_sync: boolean;
  unverified?: boolean;
  wanted?: string;
  reported?: string;
  /** Why it is not in sync, where the hashes do not tell. */
  code?: string;
  error?: string;
}

export interface VerifyAnswer {
  document?: string;
  in_sync: boolean;
  instances: Verified[];
}

export interface Discovery {
  id: string;
  type: "dns" | "consul" | "file";
  interval: string;
  labels?: Record<string, string>;
  accepts?: string[];
  dns?: { name: string; type: string; port?: number; scheme?: string; resolver?: string; path?: string };
  /** scheme is that of Consul, instance_scheme that of what it knows. */
  consul?: {
    address: string;
    scheme?: string;
    service: string;
    tags?: string[];
    datacenter?: string;
    passing?: boolean;
    instance_scheme?: string;
    path?: string;
  };
  file?: { path: string };
  /** How many the last answer held. */
  found?: number;
  error?: string;
  instances?: number;
}

/** A node that refused for good or used up its attempts, and waits for a person. */
export interface DeadLetter {
  id: string;
  node: string;
  kind: string;
  status: Status;
  /** Those that fell back to what the node accepted before. */
  documents: string[];
  revision?: number;
  attempts: number;
  cause: { id: string; log_tail?: string } & Omit<NodeError, "at">;
  since?: string;
  connected: boolean;
}
