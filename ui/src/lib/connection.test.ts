import { expect, test } from "vitest";
import { connection } from "./connection";

const fine = { phase: "open", lostAt: 0, now: 100_000, quorum: true, leader: "ctl-1" } as const;

test("an open stream and a leader are live", () => {
  expect(connection(fine).kind).toBe("live");
  expect(connection({ ...fine, quorum: undefined, leader: undefined }).kind).toBe("live");
});

test("a stream that broke off reconnects, then tells how old the view is", () => {
  expect(connection({ ...fine, phase: "lost", lostAt: 98_000 }).words).toBe("Reconnecting");
  expect(connection({ ...fine, phase: "lost", lostAt: 58_000 }).words).toBe("Stale 42 s");
});

test("no quorum, no leader or a stale answer mean read-only", () => {
  for (const lack of [{ quorum: false }, { leader: "" }, { stale: 0 }, { stale: 3.2 }]) {
    expect(connection({ ...fine, ...lack }).words).toBe("No leader – read-only");
  }
});
