import { expect, test } from "vitest";
import { moved } from "./deadletters";
import type { Cause, DeadLetter } from "./types";

const row = (id: string, cause: string): DeadLetter => ({
  id,
  node: id,
  kind: "agent",
  status: "dead_letter",
  documents: [],
  attempts: 1,
  cause: { id: cause, code: "c", message: "m" },
  connected: true,
});
const cause = (id: string, count: number): Cause => ({ cause: id, code: "c", message: "m", count, nodes: [] });

test("what is listed and what there is now are the same: nothing waits", () => {
  expect(moved([row("a", "1"), row("b", "1"), row("c", "2")], [cause("1", 2), cause("2", 1)])).toBe(0);
});

test("one that came and one that went are two", () => {
  expect(moved([row("a", "1"), row("b", "2")], [cause("1", 2)])).toBe(2);
});

test("a row whose cause nobody knows waits for nothing", () => {
  expect(moved([row("a", "")], [])).toBe(0);
});
