import { expect, test } from "vitest";
import { toggled, toggledAll } from "./selection";

const of = (...ids: string[]) => new Set(ids);

test("one is ticked and unticked", () => {
  expect(toggled(of("a"), "b")).toEqual(of("a", "b"));
  expect(toggled(of("a", "b"), "b")).toEqual(of("a"));
});

test("some ticked become all ticked, all ticked become none, others stay", () => {
  expect(toggledAll(of("a"), ["a", "b"])).toEqual(of("a", "b"));
  expect(toggledAll(of("a", "b", "else"), ["a", "b"])).toEqual(of("else"));
});
