import { expect, test } from "vitest";
import { bytes, place, plural, quorumWords, sentence, warned } from "./words";

test("counts agree with their nouns", () => {
  expect(plural(1, "node")).toBe("1 node");
  expect(plural(0, "node")).toBe("0 nodes");
  expect(plural(1234, "entry", "entries")).toBe("1,234 entries");
});

test("quorum in words", () => {
  expect(quorumWords(3, 1)).toBe("3 voters, tolerates 1");
  expect(quorumWords(1, 0)).toBe("1 voter, tolerates no loss");
});

test("an error becomes a sentence", () => {
  expect(sentence("version 3 is current, not 2")).toBe("Version 3 is current, not 2.");
  expect(sentence("Done. ")).toBe("Done.");
  expect(sentence("")).toBe("");
});

test("sizes", () => {
  expect([0, 1023, 1024, 20_480, 1_048_576].map(bytes)).toEqual(["0 B", "1023 B", "1.0 KiB", "20 KiB", "1.0 MiB"]);
});

test("a place names what is known", () => {
  expect(place({ stage: "validate", target: "routing/core", pointer: "/mtu" })).toBe("validate · routing/core · /mtu");
  expect(place({})).toBe("");
});

test("warnings fit into a notice", () => {
  const dangling = { document: "webhooks", pointer: "/h/connection", message: "there is no connection" };
  const nobody = { pointer: "", message: "this reaches nobody" };
  expect(warned([nobody])).toBe("this reaches nobody");
  expect(warned([dangling])).toBe("webhooks /h/connection: there is no connection");
  expect(warned([dangling, nobody])).toBe("webhooks /h/connection: there is no connection (and 1 more warning)");
  expect(warned([nobody, dangling, dangling])).toBe("this reaches nobody (and 2 more warnings)");
});
