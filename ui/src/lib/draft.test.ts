import { describe, expect, test } from "vitest";
import { type Draft, follow, sameEdit } from "./draft";

function untouched(change: Partial<Draft> = {}): Draft {
  const settings = { target: "routing/core", selector: "role=edge", schema: "", ...change };
  const was = { target: settings.target, selector: settings.selector, schema: settings.schema };
  return { content: "{}", message: "", base: 1, saved: 0, ...settings, was };
}

describe("follow", () => {
  test("a draft that nobody typed in becomes the newer document", () => {
    const fresh = { ...untouched({ selector: "role=core" }), content: '{"v":2}', base: 2 };
    expect(follow(untouched(), fresh)).toEqual(fresh);
  });

  test("typed content stays, with the base it was begun from", () => {
    const mine = { ...untouched(), content: '{"mine":1}', saved: 5 };
    const next = follow(mine, { ...untouched(), content: '{"v":2}', base: 2 });
    expect(next).toMatchObject({ content: '{"mine":1}', base: 1 });
  });

  test("a selector that another person changed meanwhile is not taken back", () => {
    const mine = { ...untouched(), content: '{"mine":1}', saved: 5 };
    const fresh = untouched({ selector: "role=core" });
    expect(follow(mine, fresh).selector).toBe("role=core");
  });

  test("a selector that this person changed stays", () => {
    const mine = { ...untouched(), selector: "site=fra", saved: 5 };
    const next = follow(mine, untouched({ selector: "role=core", schema: "{}" }));
    expect(next).toMatchObject({ selector: "site=fra", schema: "{}" });
  });
});

test("the message is no part of what is committed to a document", () => {
  const reworded: Draft = { ...untouched(), message: "why" };
  const rewritten: Draft = { ...untouched(), content: "{ }" };
  expect(sameEdit(untouched(), reworded)).toBe(true);
  expect(sameEdit(untouched(), rewritten)).toBe(false);
});
