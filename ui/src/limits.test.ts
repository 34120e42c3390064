// The sizes of the house style, held by a test: files to 500 lines, components to 200.
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const root = import.meta.dirname;
const sources = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((f) => /\.(ts|tsx|css)$/.test(f));
const lines = (file: string) => readFileSync(path.join(root, file), "utf8").split("\n").length;

test("there is something to measure", () => {
  expect(sources.length).toBeGreaterThan(80);
});

test.each(sources)("%s keeps its size", (file) => {
  expect(lines(file)).toBeLessThanOrEqual(file.endsWith(".tsx") ? 200 : 500);
});

test("colours stand in tokens.css alone", () => {
  const strays = sources
    .filter((f) => f !== "tokens.css" && !f.endsWith(".test.ts"))
    .filter((f) => /#[0-9a-f]{3,8}\b(?!\/)|\brgba?\(|\bhsla?\(/i.test(readFileSync(path.join(root, f), "utf8")));
  expect(strays).toEqual([]);
});

test("nothing has a shadow or a gradient", () => {
  const strays = sources
    .filter((f) => f.endsWith(".css"))
    .filter((f) => /box-shadow|gradient\(/.test(readFileSync(path.join(root, f), "utf8")));
  expect(strays).toEqual([]);
});
