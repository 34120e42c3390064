import { describe, expect, test } from "vitest";
import { type NodeChange, patchFleet, patchPush, patchRows, reduceEvent } from "./events";
import { keys } from "./keys";
import type { Counts, Fleet, NodeRow, PushRow } from "./types";

const zero: Counts = { acked: 0, pending: 0, in_flight: 0, retrying: 0, dead_letter: 0, reverted: 0, offline: 0 };
const changes = (...list: NodeChange[]) => new Map(list.map((c) => [c.id, c]));
const acked = (id: string): NodeChange => ({ id, status: "acked", connected: true, in_sync: true });
const refetched = (type: string, data: unknown) =>
  reduceEvent(type, JSON.stringify(data)).flatMap((s) => (s.do === "refetch" ? [JSON.stringify(s.key)] : []));

describe("reduceEvent", () => {
  test("a gap asks for everything", () => {
    expect(reduceEvent("gap", '{"index":"1.5"}')).toEqual([{ do: "refetchAll" }]);
  });

  test("a revision waits in its list and refreshes the documents it names", () => {
    const data = { revision: 7, documents: ["routing/core", "ntp"] };
    expect(reduceEvent("revision", JSON.stringify(data))[0]).toEqual({ do: "collect", list: "revisions", id: "7" });
    const asked = refetched("revision", data);
    expect(asked).toContain(JSON.stringify(keys.document("routing/core")));
    expect(asked).toContain(JSON.stringify(keys.document("ntp")));
  });

  test("a running push patches its counts, an ended one is read again", () => {
    const push = { id: "p1", revision: 7, state: "running", counts: zero };
    expect(reduceEvent("push", JSON.stringify(push))[0]).toEqual({ do: "push", push });
    expect(refetched("push", push)).not.toContain(JSON.stringify(keys.targets("p1")));
    expect(refetched("push", { ...push, state: "done" })).toContain(JSON.stringify(keys.targets("p1")));
  });

  test("a few nodes are patched, many are read again", () => {
    const few = reduceEvent("node", JSON.stringify({ nodes: [acked("edge-1")] }));
    expect(few[0]).toEqual({ do: "nodes", nodes: [acked("edge-1")] });
    expect(refetched("node", { nodes: [acked("edge-1")] })).toContain(JSON.stringify(keys.node("edge-1")));
    expect(refetched("node", { many: 9000 })).toEqual(
      expect.arrayContaining([JSON.stringify(keys.nodes), JSON.stringify(keys.fleet)]),
    );
  });

  test("a removed node is not patched; the lists are read again", () => {
    const data = { nodes: [acked("edge-1"), { ...acked("edge-2"), removed: true }] };
    expect(reduceEvent("node", JSON.stringify(data))[0]).toEqual({ do: "nodes", nodes: [acked("edge-1")] });
    const asked = refetched("node", data);
    expect(asked).toEqual(expect.arrayContaining([JSON.stringify(keys.nodeList), JSON.stringify(keys.fleet)]));
    expect(asked).not.toContain(JSON.stringify(keys.node("edge-2")));
  });

  test("the counts of a push are asked for at most every 250 ms", () => {
    const steps = reduceEvent("node", JSON.stringify({ nodes: [acked("edge-1")] }));
    expect(steps).toContainEqual({ do: "refetch", key: ["pushes", "one"], within: 250 });
  });

  test("what is not known or not readable changes nothing", () => {
    expect(reduceEvent("alert", "{}")).toEqual([]);
    expect(reduceEvent("node", "{")).toEqual([]);
  });
});

describe("patches", () => {
  const row = (id: string): NodeRow => ({
    id,
    kind: "agent",
    labels: {},
    connected: false,
    in_sync: false,
    status: "offline",
    attempts: 0,
  });

  test("rows keep their order and their identity where nothing changed", () => {
    const rows = [row("a"), row("b"), row("c")];
    const patched = patchRows(rows, (r) => r.id, changes(acked("b"), acked("elsewhere")));
    expect(patched.rows.map((r) => [r.id, r.status, r.in_sync])).toEqual([
      ["a", "offline", false],
      ["b", "acked", true],
      ["c", "offline", false],
    ]);
    expect(patched.rows[0]).toBe(rows[0]);
    expect([...patched.touched]).toEqual(["b"]);
  });

  test("a change that says what is known already draws nothing again", () => {
    const rows = [{ ...row("a"), status: "acked" as const, connected: true, in_sync: true }];
    const patched = patchRows(rows, (r) => r.id, changes(acked("a")));
    expect(patched.rows).toBe(rows);
    expect(patched.touched.has("a")).toBe(true);
  });

  test("the fleet's counts move with its cells", () => {
    const fleet: Fleet = {
      index: 1,
      total: 2,
      counts: { ...zero, offline: 2 },
      cells: [
        ["a", "fra", "offline"],
        ["b", "fra", "offline"],
      ],
    };
    const next = patchFleet(fleet, changes(acked("b")));
    expect(next.counts).toEqual({ ...zero, offline: 1, acked: 1 });
    expect(next.cells).toEqual([
      ["a", "fra", "offline"],
      ["b", "fra", "acked"],
    ]);
    expect(fleet.cells[1]![2]).toBe("offline");
    expect(patchFleet(fleet, changes(acked("none")))).toBe(fleet);
  });

  test("a push takes the newer counts of its own id only", () => {
    const push = { id: "p1", state: "running", counts: zero } as PushRow;
    const change = { id: "p1", revision: 1, state: "done" as const, counts: { ...zero, acked: 5 } };
    expect(patchPush(push, change)).toMatchObject({ state: "done", counts: { acked: 5 } });
    expect(patchPush(push, { ...change, id: "p2" })).toBe(push);
  });
});
