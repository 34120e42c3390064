import { expect, test } from "vitest";
import { atLeast, inPrefixes, whyNot } from "./session";
import type { Me } from "./types";

const me = (role: Me["role"]): Me => ({ user: "mara", role, cluster: { name: "c", id: "1", epoch: 1 } });

test("each role may do what those before it may", () => {
  expect(atLeast("admin", "operator")).toBe(true);
  expect(atLeast("editor", "operator")).toBe(false);
  expect(atLeast(undefined, "editor")).toBe(false);
});

test("a refusal says what is needed", () => {
  expect(whyNot(me("viewer"), "operator")).toBe("Needs an operator; you are viewer.");
  expect(whyNot(me("admin"), "operator")).toBeUndefined();
  expect(whyNot(undefined, "admin")).toBeUndefined();
});

test("prefixes end at a slash", () => {
  expect(inPrefixes(["routing"], "routing/core")).toBe(true);
  expect(inPrefixes(["routing/"], "routing/core")).toBe(true);
  expect(inPrefixes(["routing"], "routing2/core")).toBe(false);
  expect(inPrefixes([], "anything")).toBe(true);
  expect(inPrefixes(null, "anything")).toBe(true);
});
