import { describe, expect, test } from "vitest";
import { format, JsonSyntaxError, locate, member, parseTree, pointerTokens, source } from "./jsontext";

const at = (text: string, pointer: string) => {
  const { from, to, exact } = locate(parseTree(text), pointer);
  return { text: text.slice(from, to), exact };
};

describe("format", () => {
  test("keeps number literals, key order and escapes as they are written", () => {
    const text = '{"b":1.0,"10":1e3,"2":-0.50,"a":"\\u00e9\\/","big":9007199254740993}';
    const out = format(text);
    expect(out).toBe(
      '{\n  "b": 1.0,\n  "10": 1e3,\n  "2": -0.50,\n  "a": "\\u00e9\\/",\n  "big": 9007199254740993\n}',
    );
    expect(format(out)).toBe(out);
  });

  test("puts short lists of plain values on one line and the others on several", () => {
    expect(format('{"a":[1,2],"o":{},"e":[],"n":[{"x":1}]}')).toBe(
      '{\n  "a": [1, 2],\n  "o": {},\n  "e": [],\n  "n": [\n    {\n      "x": 1\n    }\n  ]\n}',
    );
    const long = JSON.stringify({ a: Array.from({ length: 40 }, (_, i) => `item ${i}`) });
    expect(format(long).split("\n")).toHaveLength(44);
  });
});

describe("parseTree", () => {
  test.each([
    ["", 0],
    ["{", 1],
    ['{"a":1,}', 7],
    ['{"a" 1}', 5],
    ["[1 2]", 3],
    ['{"a":01}', 6],
    ['{"a":"x\ny"}', 5],
    ["{} x", 3],
    ['{"a":1,"a":2}', 7],
    ["{'a':1}", 1],
    ["nul", 0],
  ])("refuses %j at %d", (text, offset) => {
    let caught: unknown;
    try {
      parseTree(text);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(JsonSyntaxError);
    expect((caught as JsonSyntaxError).offset).toBe(offset);
  });

  test("takes what JSON.parse takes", () => {
    const text = ' {"a":[true,false,null,-1.5e-7,"\\ud83d\\ude00"],"":{"x":{}}}\n';
    const tree = parseTree(text);
    expect(JSON.parse(source(text, tree))).toEqual(JSON.parse(text));
    expect(source(text, member(tree, "")!)).toBe('{"x":{}}');
  });

  test("refuses nesting beyond its limit instead of overflowing the stack", () => {
    expect(() => parseTree("[".repeat(100_000))).toThrow(JsonSyntaxError);
  });
});

describe("locate", () => {
  const text = '{"a":{"b/c":[10,{"d~e":"x"}]},"mtu":70000}';

  test("marks a member with its key, an item by its value", () => {
    expect(at(text, "/mtu")).toEqual({ text: '"mtu":70000', exact: true });
    expect(at(text, "/a/b~1c/0")).toEqual({ text: "10", exact: true });
    expect(at(text, "/a/b~1c/1/d~0e")).toEqual({ text: '"d~e":"x"', exact: true });
  });

  test("marks only the key of a container", () => {
    expect(at(text, "/a/b~1c")).toEqual({ text: '"b/c"', exact: true });
    expect(at(text, "/a/b~1c/1")).toEqual({ text: "{", exact: true });
    expect(at(text, "")).toEqual({ text: "{", exact: true });
  });

  test("falls back to the nearest parent that exists", () => {
    expect(at(text, "/a/missing/deep")).toEqual({ text: '"a"', exact: false });
    expect(at(text, "/a/b~1c/7")).toEqual({ text: '"b/c"', exact: false });
    expect(at(text, "/none")).toEqual({ text: "{", exact: false });
    expect(at(text, "/a/b~1c/01").exact).toBe(false);
  });

  test("reads the fragment form too", () => {
    expect(pointerTokens("#/a/b~1c%20d")).toEqual(["a", "b/c d"]);
    expect(pointerTokens("")).toEqual([]);
    expect(pointerTokens("/")).toEqual([""]);
  });
});
