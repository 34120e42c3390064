import { expect, test } from "vitest";
import { member, parseTree } from "../lib/jsontext";
import { editBody, readDocument, readPatch } from "./documents";

test("a document's text keeps the literals of the answer", () => {
  const doc = readDocument('{"document":"a","version":2,"content":{"10":1.0,"2":1e2},"schema":null}');
  expect(doc.text).toBe('{\n  "10": 1.0,\n  "2": 1e2\n}');
  expect(doc.schemaText).toBe("");
  expect(doc.actions).toEqual([]);
});

test("an edit sends content and schema as typed, and leaves out what it does not touch", () => {
  const edit = { document: "a", content: '{"x":1.0}' };
  expect(editBody(edit, 'say "why"')).toBe('{"content":{"x":1.0},"message":"say \\"why\\""}');
  expect(editBody({ ...edit, selector: "", schema: " ", target: "t" })).toBe(
    '{"content":{"x":1.0},"target":"t","selector":"","schema":null}',
  );
});

test("a patch shows 1 becoming 1.0", () => {
  const text = '{"patch":[{"op":"replace","path":"/x","value":1.0,"old":1},{"op":"add","path":"/y","value":null}]}';
  expect(readPatch(text, member(parseTree(text), "patch"))).toEqual([
    { op: "replace", path: "/x", from: undefined, value: "1.0", old: "1" },
    { op: "add", path: "/y", from: undefined, value: "null", old: undefined },
  ]);
});
