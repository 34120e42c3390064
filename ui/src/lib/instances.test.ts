import { expect, test } from "vitest";
import type { InstanceRow, Synced, Verified } from "../data/types";
import { facts, failedFirst, groupBy, notes, outcome, silence, unverified, verdict, worstFirst } from "./instances";

const row = (more: Partial<InstanceRow>): InstanceRow => ({
  id: "hook-1",
  url: "https://hook-1.example:8443/x",
  accepts: ["webhooks"],
  source: "manual",
  has_token: true,
  connected: true,
  status: "acked",
  in_sync: true,
  attempts: 0,
  ...more,
});

test("the same reason at different addresses is one group, the largest group first", () => {
  const refused = (n: number) =>
    row({
      id: `hook-${n}`,
      url: `http://10.0.0.${n}:81`,
      unreachable: { code: "unreachable", message: `dial tcp 10.0.0.${n}:81: connection refused` },
    });
  const slow = row({ unreachable: { code: "timeout", message: "no answer within 10 s" } });
  const groups = groupBy([slow, refused(1), refused(2)], silence);
  expect(groups.map((g) => [g.items.length, g.code])).toEqual([
    [2, "unreachable"],
    [1, "timeout"],
  ]);
  expect(groups[0]!.words).toBe("dial tcp …: connection refused");
});

test("one that was never called says so", () => {
  expect(silence(row({ connected: false })).code).toBe("not_called");
});

test("notes name the worst first and nothing twice", () => {
  const r = row({
    unreachable: { code: "timeout", message: "no answer within 10 s" },
    last_error: { code: "timeout", message: "no answer within 10 s" },
    warnings: [{ code: "no_auth", message: "tells its version without a token" }],
    unmanaged: ["routes"],
    documents: [{ document: "hooks", target: "webhooks", unverified: true }],
    gone: "2026-01-01T00:00:00Z",
    drift: { targets: ["webhooks"], held: true },
  });
  expect(notes(r)).toEqual([
    "no answer within 10 s",
    "drift in webhooks, left until it is synced",
    "gone from its discovery",
    "tells its version without a token",
    "unmanaged: routes",
  ]);
  expect(unverified(r)).toBe("hash unverified: webhooks");
  expect(notes(row({}))).toEqual([]);
});

test("facts are counts and the version", () => {
  expect(facts(row({ facts: { webhooks_count: "1", connections_count: "4", version: "2.1" } }))).toBe(
    "1 webhook, 4 connections, version 2.1",
  );
});

test("no answer is not in sync, and stands first", () => {
  const rows: Verified[] = [
    { id: "d", in_sync: true },
    { id: "c", in_sync: true, unverified: true },
    { id: "b", in_sync: false, wanted: "1", reported: "2" },
    { id: "a", in_sync: false, wanted: "1", code: "timeout", error: "no answer within 4s" },
    { id: "aa", in_sync: false, code: "not_pushed", error: "it has not taken the wanted version yet" },
  ];
  expect(worstFirst(rows).map(verdict)).toEqual(["silent", "differs", "differs", "unverified", "same"]);
});

test("the failed stand first, those on the way are neither failed nor done", () => {
  const rows: Synced[] = [
    { id: "a", status: "acked", in_sync: true },
    { id: "b", status: "in_flight", in_sync: false },
    { id: "c", status: "offline", in_sync: false },
    { id: "d", status: "in_flight", in_sync: false, error: { code: "not_wanted", message: "m" } },
  ];
  expect(failedFirst(rows).map((r) => `${r.id} ${outcome(r)}`)).toEqual(["c failed", "d failed", "b waiting", "a synced"]);
});
