// What a page says of an instance, from what the API knows of it.

import type { InstanceRow, Synced, Verified } from "../data/types";

export interface Group<T> {
  words: string;
  code: string;
  items: T[];
}

/** Rows by what is the matter with them, the largest group first. */
export function groupBy<T>(rows: readonly T[], of: (row: T) => { code: string; message: string }): Group<T>[] {
  const groups = new Map<string, Group<T>>();
  for (const row of rows) {
    const { code, message } = of(row);
    const words = message || code;
    const group = groups.get(`${code} ${words}`) ?? { words, code, items: [] };
    group.items.push(row);
    groups.set(`${code} ${words}`, group);
  }
  return [...groups.values()].sort((a, b) => b.items.length - a.items.length);
}

/** Why an instance does not answer; addresses are taken out, so that equal reasons are one group. */
export function silence(row: InstanceRow): { code: string; message: string } {
  const told = row.unreachable;
  if (!told) return { code: "not_called", message: "not called yet" };
  let message = told.message;
  for (const part of addressParts(row.url)) message = message.replaceAll(part, "…");
  return { code: told.code, message };
}

function addressParts(url: string): string[] {
  try {
    const { host, hostname } = new URL(url);
    return [url, host, hostname].filter(Boolean);
  } catch {
    return [url];
  }
}

/** Everything about an instance that is not as it should be, the worst first. */
export function notes(row: InstanceRow): string[] {
  const out: string[] = [];
  if (!row.connected || row.unreachable) out.push(silence(row).message || silence(row).code);
  if (row.last_error && row.last_error.message !== row.unreachable?.message) {
    out.push([row.last_error.pointer, row.last_error.message].filter(Boolean).join(": "));
  }
  if (row.drift) {
    const what = `drift in ${row.drift.targets.join(", ")}`;
    out.push(row.drift.held ? `${what}, left until it is synced` : what);
  }
  if (row.gone) out.push("gone from its discovery");
  for (const w of row.warnings ?? []) out.push(w.message || w.code);
  if (row.unmanaged?.length) out.push(`unmanaged: ${row.unmanaged.join(", ")}`);
  return out;
}

/** Targets whose hash only the instance itself can tell; that is as it should be where there are placeholders. */
export function unverified(row: InstanceRow): string {
  const targets = (row.documents ?? []).filter((d) => d.unverified).map((d) => d.target);
  return targets.length > 0 ? `hash unverified: ${targets.join(", ")}` : "";
}

/** "3 webhooks, 2 connections, up 4 h", from what the instance tells of itself. */
export function facts(row: InstanceRow): string {
  const of = (key: string) => row.facts?.[key];
  const out: string[] = [];
  for (const what of ["webhooks", "connections"]) {
    const n = Number(of(`${what}_count`) ?? Number.NaN);
    if (Number.isInteger(n)) out.push(`${n} ${n === 1 ? what.slice(0, -1) : what}`);
  }
  if (of("version")) out.push(`version ${String(of("version"))}`);
  return out.join(", ");
}

export type Verdict = "silent" | "differs" | "unverified" | "same";

/** Codes of those that answered: they hold another version, or none. */
const answered = new Set(["", "not_pushed", "not_reported", "not_wanted"]);

export function verdict(v: Verified): Verdict {
  if (v.in_sync) return v.unverified ? "unverified" : "same";
  return v.reported || answered.has(v.code ?? "") ? "differs" : "silent";
}

const order: Record<Verdict, number> = { silent: 0, differs: 1, unverified: 2, same: 3 };

/** The worst first, then by name. */
export function worstFirst(rows: readonly Verified[]): Verified[] {
  return [...rows].sort(
    (a, b) => order[verdict(a)] - order[verdict(b)] || a.id.localeCompare(b.id) || (a.document ?? "").localeCompare(b.document ?? ""),
  );
}

export type Outcome = "failed" | "waiting" | "synced";

export function outcome(s: Synced): Outcome {
  if (s.in_sync) return "synced";
  return s.error || ["dead_letter", "reverted", "offline"].includes(s.status) ? "failed" : "waiting";
}

export function failedFirst(rows: readonly Synced[]): Synced[] {
  const rank: Record<Outcome, number> = { failed: 0, waiting: 1, synced: 2 };
  return [...rows].sort((a, b) => rank[outcome(a)] - rank[outcome(b)] || a.id.localeCompare(b.id));
}
