// After `vite build`: holds the budget of the start, adds the fonts' licences, compresses what compresses.
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
const dist = path.join(root, "dist");
const budget = 180 * 1024;
const brotli = promisify(brotliCompress);
const zip = promisify(gzip);

const manifest = JSON.parse(await readFile(path.join(dist, ".vite/manifest.json"), "utf8"));

/** A chunk and all that it imports at once. */
function closure(key, found = new Set()) {
  if (found.has(key)) return found;
  found.add(key);
  for (const next of manifest[key].imports ?? []) closure(next, found);
  return found;
}

const size = async (key) => (await zip(await readFile(path.join(dist, manifest[key].file)), { level: 9 })).length;
const total = async (keys) => (await Promise.all([...keys].map(size))).reduce((a, b) => a + b, 0);
const kib = (n) => `${(n / 1024).toFixed(1)} KiB`;

// What a person loads who opens "/": the entry, and the page with all that it imports.
const start = closure("index.html");
closure("src/pages/overview/index.tsx", start);
const initial = await total(start);
const lazy = async (key) => kib(await total([...closure(key)].filter((k) => !start.has(k))));
console.log(
  `initial JavaScript ${kib(initial)} gzip of ${kib(budget)} · ` +
    `editor ${await lazy("src/parts/code/Editor.tsx")} · diff ${await lazy("src/parts/code/Diff.tsx")}`,
);
if (initial > budget) {
  console.error("The start is over its budget. Load what is not needed there with import().");
  process.exit(1);
}

const require = createRequire(import.meta.url);
await mkdir(path.join(dist, "licenses"), { recursive: true });
for (const font of ["inter", "jetbrains-mono"]) {
  const licence = path.join(path.dirname(require.resolve(`@fontsource-variable/${font}/package.json`)), "LICENSE");
  await copyFile(licence, path.join(dist, "licenses", `${font}.txt`));
}
await rm(path.join(dist, ".vite"), { recursive: true });
// The folder is tracked by this file, so that the Go program builds before the interface does.
await writeFile(path.join(dist, ".gitkeep"), "");

for (const entry of await readdir(path.join(dist, "assets"))) {
  if (!/\.(js|css|svg)$/.test(entry)) continue;
  const file = path.join(dist, "assets", entry);
  const raw = await readFile(file);
  if (raw.length < 1024) continue;
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  await writeFile(`${file}.br`, await brotli(raw, quality));
  await writeFile(`${file}.gz`, await zip(raw, { level: 9 }));
}
