import { queryOptions } from "@tanstack/react-query";
import { format, member, parseTree, source } from "../lib/jsontext";
import { get, getText, query, seg, send, sendText } from "./http";
import { keys } from "./keys";
import { listOptions } from "./pages";
import type {
  DocumentDiff,
  DocumentFull,
  DocumentRow,
  DryRun,
  PatchOp,
  Problem,
  RevisionRow,
  VersionFull,
  VersionRow,
  WriteAnswer,
} from "./types";

const path = (name: string) => `/documents/${seg(name)}`;

export const documentList = (q: string) => listOptions<DocumentRow>(keys.documentList, "/documents", { q }, 1000);

export const revisionList = () => listOptions<RevisionRow>(keys.revisions, "/revisions", {}, 50);

export const documentQuery = (name: string) =>
  queryOptions({
    queryKey: keys.document(name),
    queryFn: async ({ signal }) => readDocument(await getText(path(name), signal)),
  });

export const versionsQuery = (name: string) => listOptions<VersionRow>(keys.versions(name), `${path(name)}/versions`);

export const versionQuery = (name: string, version: number) =>
  queryOptions({
    queryKey: keys.version(name, version),
    queryFn: async ({ signal }) => readVersion(await getText(`${path(name)}/versions/${version}`, signal)),
    staleTime: Number.POSITIVE_INFINITY,
    enabled: version > 0,
  });

export const diffQuery = (name: string, from: number, to: number) =>
  queryOptions({
    queryKey: keys.diff(name, from, to),
    queryFn: async ({ signal }) => readDiff(await getText(`${path(name)}/diff${query({ from, to })}`, signal)),
    staleTime: Number.POSITIVE_INFINITY,
    enabled: from > 0 && to > 0,
  });

function contentText(text: string, key: string): string {
  const node = member(parseTree(text), key);
  if (!node || source(text, node) === "null") return "";
  return format(text, node);
}

export function readDocument(text: string): DocumentFull {
  const row = JSON.parse(text) as DocumentFull;
  return { ...row, actions: row.actions ?? [], text: contentText(text, "content"), schemaText: contentText(text, "schema") };
}

function readVersion(text: string): VersionFull {
  return { ...(JSON.parse(text) as VersionFull), text: contentText(text, "content") };
}

/** A patch whose values stay text, so that 1 → 1.0 shows as what it is. */
export function readPatch(text: string, node: ReturnType<typeof parseTree> | undefined): PatchOp[] {
  return (node?.items ?? []).map((item) => {
    const string = (key: string) => {
      const found = member(item, key);
      return found ? (JSON.parse(source(text, found)) as string) : undefined;
    };
    const literal = (key: string) => {
      const found = member(item, key);
      return found ? format(text, found) : undefined;
    };
    return {
      op: string("op") ?? "",
      path: string("path") ?? "",
      from: string("from"),
      value: literal("value"),
      old: literal("old"),
    };
  });
}

function readDiff(text: string): DocumentDiff {
  return { ...(JSON.parse(text) as DocumentDiff), patch: readPatch(text, member(parseTree(text), "patch")) };
}

/** What a person edits: texts of JSON, not values. Without a base it makes a new document. */
export interface Edit {
  document: string;
  content: string;
  target?: string;
  selector?: string;
  /** Empty: no schema. */
  schema?: string;
  base?: number;
}

/** The JSON text of an edit; content and schema go as they were typed. */
export function editBody(edit: Edit, message?: string): string {
  const parts: string[] = [`"content":${edit.content}`];
  if (edit.target) parts.push(`"target":${JSON.stringify(edit.target)}`);
  if (edit.selector !== undefined) parts.push(`"selector":${JSON.stringify(edit.selector)}`);
  if (edit.schema !== undefined) parts.push(`"schema":${edit.schema.trim() === "" ? "null" : edit.schema}`);
  if (message !== undefined) parts.push(`"message":${JSON.stringify(message)}`);
  return `{${parts.join(",")}}`;
}

export function put(edit: Edit, message: string): Promise<WriteAnswer> {
  const headers: Record<string, string> = edit.base ? { "If-Match": `"${edit.base}"` } : { "If-None-Match": "*" };
  return send<WriteAnswer>("PUT", path(edit.document), editBody(edit, message), headers);
}

/** Tries a change and keeps nothing: problems, affected nodes, and what would differ. */
export async function dryRun(edit: Edit): Promise<DryRun> {
  const base = edit.base ? `,"base_version":${edit.base}` : "";
  const inner = editBody(edit).slice(1, -1);
  const body = `{"dry_run":true,"edits":[{"document":${JSON.stringify(edit.document)},"op":"put"${base},${inner}}]}`;
  const text = await sendText("POST", "/changes", body);
  const answer = JSON.parse(text) as DryRun;
  const diffs = member(parseTree(text), "diff")?.items ?? [];
  return {
    valid: answer.valid,
    problems: answer.problems ?? [],
    warnings: answer.warnings ?? [],
    affected: answer.affected ?? { nodes: 0 },
    diff: (answer.diff ?? []).map((d, i) => ({ ...d, patch: readPatch(text, member(diffs[i], "patch")) })),
  };
}

export interface Validation {
  valid: boolean;
  problems: Problem[];
  warnings: Problem[];
  unchanged?: boolean;
  affected?: { nodes: number };
}

/** Whether a body of editBody could be put, asked without keeping anything. */
export async function validate(name: string, body: string): Promise<Validation> {
  const answer = await send<Validation>("POST", `${path(name)}/validate`, body);
  return { ...answer, problems: answer.problems ?? [], warnings: answer.warnings ?? [] };
}

export const rollback = (name: string, to: number, message: string) =>
  send<WriteAnswer>("POST", `${path(name)}/rollback`, { to, message });

export const remove = (name: string, version: number) =>
  send<WriteAnswer>("DELETE", path(name), undefined, { "If-Match": `"${version}"` });

/** Asks for one document; undefined when there is none of that name. */
export const exists = (name: string) => get<DocumentRow>(path(name));
