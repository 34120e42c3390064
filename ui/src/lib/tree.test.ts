import { expect, test } from "vitest";
import { buildTree, nameProblem } from "./tree";

const shape = (names: string[]) =>
  buildTree(names, (n) => n).map((i) => `${"  ".repeat(i.depth)}${i.label}${i.row === undefined ? "/" : ""}`);

test("folders come once, documents before the folders beside them", () => {
  expect(shape(["routing/core", "webhooks", "routing/edge/fra", "routing/edge/ams", "ntp", "routing/a"])).toEqual([
    "ntp",
    "webhooks",
    "routing/",
    "  a",
    "  core",
    "  edge/",
    "    ams",
    "    fra",
  ]);
});

test("a document and a folder may share a name", () => {
  expect(shape(["a", "a/b"])).toEqual(["a", "a/", "  b"]);
});

test("names that only look alike do not share a folder", () => {
  expect(shape(["a/b", "a-b/c", "a/c"])).toEqual(["a/", "  b", "  c", "a-b/", "  c"]);
});

test.each(["routing/core", "a", "9", "a.b-c_d/e", "a/b/c/d/e/f/g/h"])("%s is a name", (name) => {
  expect(nameProblem(name)).toBeUndefined();
});

test.each(["", "/a", "a/", "a//b", "A", "a b", ".a", "a.json", "a.json/b", "é", "a/b/c/d/e/f/g/h/i", "a".repeat(201)])(
  "%s is none",
  (name) => {
    expect(nameProblem(name)).toBeTypeOf("string");
  },
);
