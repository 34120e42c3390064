// The words that people read for what the API calls by a code.

import type { Problem, PushRow, Status } from "../data/types";

export const statusWord: Record<Status, string> = {
  acked: "acked",
  in_flight: "in flight",
  pending: "pending",
  retrying: "retrying",
  reverted: "reverted",
  dead_letter: "dead letter",
  offline: "offline",
};

export const stateWord: Record<PushRow["state"], string> = {
  scheduled: "scheduled",
  running: "running",
  paused: "paused",
  done: "done",
  done_with_failures: "done with failures",
  aborted: "aborted",
  superseded: "superseded",
};

const grouped = new Intl.NumberFormat("en");
export const number = (n: number | undefined) => grouped.format(n ?? 0);

/** "1 node", "409 nodes". */
export const plural = (n: number, one: string, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  if (n < 1024 * 1024) return `${(n / 1024).toFixed(n < 10_240 ? 1 : 0)} KiB`;
  return `${(n / 1024 / 1024).toFixed(1)} MiB`;
}

/** The API's errors are lower-case clauses; on a page they are sentences. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  if (trimmed === "") return "";
  const end = /[.!?…:]$/.test(trimmed) ? "" : ".";
  return trimmed[0]!.toUpperCase() + trimmed.slice(1) + end;
}

/** The warnings about a change in the one line of a notice. */
export function warned(warnings: Problem[]): string {
  const [first, ...others] = warnings;
  const at = [first?.document, first?.pointer].filter(Boolean).join(" ");
  return `${at ? `${at}: ` : ""}${first?.message ?? ""}${others.length > 0 ? ` (and ${plural(others.length, "more warning")})` : ""}`;
}

/** A checksum or id short enough for a row. */
export const short = (id: string | undefined, length = 10) => (id ? id.slice(0, length) : "");

/** "3 voters, tolerates 1". */
export function quorumWords(voters: number, tolerates: number): string {
  const lost = tolerates === 0 ? "tolerates no loss" : `tolerates ${tolerates}`;
  return `${plural(voters, "voter")}, ${lost}`;
}

/** Where an error is: stage, target and pointer, those that are known. */
export function place(e: { stage?: string; target?: string; pointer?: string }): string {
  return [e.stage, e.target, e.pointer].filter(Boolean).join(" · ");
}
