import { expect, test } from "vitest";
import type { Peer } from "../../data/types";
import { agreement } from "./agreement";

const peer = (name: string, applied: number, state_hash: string, alive = true): Peer => ({
  name,
  id: name,
  role: "voter",
  alive,
  applied,
  state_hash,
});

test("equal hashes at one index agree", () => {
  expect(agreement([peer("a", 5, "x"), peer("b", 5, "x"), peer("c", 5, "x")])).toMatchObject({
    agree: true,
    words: "equal on 3 controllers",
  });
});

test("different hashes at one index are the alarm", () => {
  expect(agreement([peer("a", 5, "x"), peer("b", 5, "y")])).toMatchObject({ agree: false, differ: true });
});

test("one that lags is not compared", () => {
  expect(agreement([peer("a", 5, "x"), peer("b", 4, "w")])).toMatchObject({ agree: false, differ: false });
});

test("one that is down does not count", () => {
  expect(agreement([peer("a", 5, "x"), peer("b", 5, "x"), peer("c", 5, "old", false)]).agree).toBe(true);
});
