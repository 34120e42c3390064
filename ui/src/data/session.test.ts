import { expect, test } from "vitest";
import { inPrefixes, whyNot } from "./session";
import type { Me } from "./types";

const me = (role: Me["role"], ...permissions: string[]): Me => ({
  user: "mara",
  role,
  permissions,
  cluster: { name: "c", id: "1", epoch: 1 },
});

test("a refusal says what is needed", () => {
  expect(whyNot(me("viewer"), "nodes.write")).toBe("Needs an operator; you are viewer.");
  expect(whyNot(me("operator", "nodes.write"), "nodes.write")).toBeUndefined();
  expect(whyNot(me("editor", "documents.write"), "users.write")).toBe("Needs an admin; you are editor.");
});

test("nothing is refused while nobody knows who asks", () => {
  expect(whyNot(undefined, "users.write")).toBeUndefined();
});

test("prefixes end at a slash", () => {
  expect(inPrefixes(["routing"], "routing/core")).toBe(true);
  expect(inPrefixes(["routing/"], "routing/core")).toBe(true);
  expect(inPrefixes(["routing"], "routing2/core")).toBe(false);
  expect(inPrefixes([], "anything")).toBe(true);
  expect(inPrefixes(null, "anything")).toBe(true);
});
