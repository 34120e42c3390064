import { expect, test } from "vitest";
import { diagnose, lineOf, syntaxError } from "./diagnose";

test("problems are placed by their pointers and sorted by place", () => {
  const text = '{\n  "mtu": 70000,\n  "bgp": {}\n}';
  const marks = diagnose(text, [
    { pointer: "/bgp/asn", message: "is required" },
    { pointer: "/mtu", message: "must be at most 9216" },
  ]);
  expect(marks.map((m) => [text.slice(m.from, m.to), m.message])).toEqual([
    ['"mtu": 70000', "must be at most 9216"],
    ['"bgp"', "/bgp/asn: is required"],
  ]);
});

test("a syntax error hides the problems, which cannot be placed then", () => {
  const marks = diagnose('{"a": }', [{ pointer: "/a", message: "wrong" }]);
  expect(marks).toEqual([{ from: 6, to: 7, message: "expected a value" }]);
});

test("a mark of an empty or cut-off text stays inside it", () => {
  for (const text of ["", "{", '{"a"']) {
    for (const mark of diagnose(text, [])) {
      expect(mark.from).toBeGreaterThanOrEqual(0);
      expect(mark.to).toBeLessThanOrEqual(text.length);
    }
  }
});

test("a document must be an object", () => {
  expect(syntaxError("[1]")?.message).toMatch(/object/);
  expect(syntaxError("{}")).toBeUndefined();
});

test("lines and columns count from one", () => {
  expect(lineOf("ab\ncd", 0)).toEqual({ line: 1, column: 1 });
  expect(lineOf("ab\ncd", 4)).toEqual({ line: 2, column: 2 });
});
