import { expect, test } from "vitest";
import { followsStatus, formatQuery, parseQuery, termOf, withTerm } from "./nodequery";
import { parseSearch, stringifySearch } from "./search";

test("terms and words are told apart", () => {
  expect(parseQuery("  site=fra edge  status=offline = x= ")).toEqual({
    terms: [
      { key: "site", value: "fra" },
      { key: "status", value: "offline" },
    ],
    words: ["edge", "=", "x="],
  });
});

test("a value may hold an equals sign", () => {
  expect(termOf("note=a=b", "note")).toBe("a=b");
});

test("a term set twice is taken out, another value replaces it", () => {
  expect(withTerm("site=fra edge", "status", "offline")).toBe("site=fra status=offline edge");
  expect(withTerm("status=offline site=fra", "status", "offline")).toBe("site=fra");
  expect(withTerm("status=offline", "status", "acked")).toBe("status=acked");
  expect(withTerm("status=offline x", "status", undefined)).toBe("x");
});

test("formatting and parsing are inverse for a normal query", () => {
  const text = "site=fra status=offline edge";
  expect(formatQuery(parseQuery(text))).toBe(text);
});

test("only queries about state follow it", () => {
  expect(followsStatus("site=fra in_sync=false")).toBe(true);
  expect(followsStatus("site=fra edge")).toBe(false);
});

test("the URL keeps strings as strings and stays readable", () => {
  const search = { q: "site=fra document=routing/core", from: "41", none: undefined, empty: "" };
  const text = stringifySearch(search);
  expect(text).toBe("?q=site=fra+document=routing/core&from=41");
  expect(parseSearch(text)).toEqual({ q: search.q, from: "41" });
});

test("characters with a meaning of their own survive the URL", () => {
  const search = { q: "a&b=c#d%20+é" };
  expect(parseSearch(stringifySearch(search))).toEqual(search);
});
