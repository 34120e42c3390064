import { expect, test } from "vitest";
import { formatLabels, labelChanges, parseLabels } from "./labels";

test("labels are read with spaces or commas between them", () => {
  expect(parseLabels(" site=fra, role=edge\ttier= ")).toEqual({ labels: { site: "fra", role: "edge", tier: "" } });
  expect(parseLabels("")).toEqual({ labels: {} });
});

test.each(["site", "=x", "a=b=c", "si te=x", "a=1 a=2", "a=-x", "-a=x"])("%j is refused with its reason", (text) => {
  expect(parseLabels(text).problem).toBeTypeOf("string");
});

test("only what differs is sent, and null takes away", () => {
  const before = { site: "fra", role: "edge", old: "1" };
  expect(labelChanges(before, { site: "ams", role: "edge", new: "2" })).toEqual({ site: "ams", new: "2", old: null });
  expect(labelChanges(before, { ...before })).toEqual({});
  expect(labelChanges(undefined, { a: "b" })).toEqual({ a: "b" });
});

test("labels are shown in one order", () => {
  expect(formatLabels({ site: "fra", role: "edge" })).toBe("role=edge site=fra");
});
