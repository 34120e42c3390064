import { describe, expect, test } from "vitest";
import type { FleetCell, Status } from "../data/types";
import { cellAt, groupBySite, layoutStrip, siteLabels, worst } from "./strip";

function fleet(sites: number, perSite: number, status: (i: number) => Status = () => "acked"): FleetCell[] {
  return Array.from({ length: sites * perSite }, (_, i) => [`n${i}`, `s${Math.floor(i / perSite)}`, status(i)]);
}

/** No two cells overlap and none leaves the box. */
function expectTidy(cells: FleetCell[], width: number, height: number) {
  const layout = layoutStrip(cells, width, height);
  const seen = new Set<string>();
  for (const c of layout.cells) {
    const key = `${c.x},${c.y}`;
    expect(seen.has(key), `two cells at ${key}`).toBe(false);
    seen.add(key);
    expect(c.x + layout.cellWidth).toBeLessThanOrEqual(width);
    expect(c.y + layout.cellHeight).toBeLessThanOrEqual(layout.height);
  }
  expect(layout.height).toBeLessThanOrEqual(Math.max(height, 16));
  expect(layout.cells.reduce((sum, c) => sum + c.count, 0)).toBe(cells.length);
  return layout;
}

test("the worst status wins", () => {
  expect(worst(["acked", "in_flight", "dead_letter", "offline"])).toBe("dead_letter");
  expect(worst(["acked", "offline", "retrying"])).toBe("retrying");
  expect(worst(["acked", "pending"])).toBe("pending");
  expect(worst([])).toBe("acked");
});

test("neighbours of one site make a group", () => {
  expect(groupBySite(fleet(3, 2)).map((g) => [g.site, g.cells.length])).toEqual([
    ["s0", 2],
    ["s1", 2],
    ["s2", 2],
  ]);
  expect(groupBySite([])).toEqual([]);
});

describe("layout", () => {
  test("five nodes make one row of drawn-out cells, a site each", () => {
    const layout = expectTidy(fleet(5, 1), 1100, 128);
    expect(layout.rows).toBe(1);
    expect(layout.cellWidth).toBeGreaterThan(layout.cellHeight);
    expect(layout.sites.map((s) => s.site)).toEqual(["s0", "s1", "s2", "s3", "s4"]);
  });

  test("409 nodes get a cell each, sites apart", () => {
    const layout = expectTidy(fleet(10, 41).slice(0, 409), 1100, 128);
    expect(layout.perCell).toBe(1);
    expect(layout.cells).toHaveLength(409);
    expect(layout.sites[1]!.x).toBeGreaterThanOrEqual(layout.sites[0]!.x + layout.sites[0]!.width);
  });

  test("10,000 nodes fit one by one on a wide screen", () => {
    const layout = expectTidy(fleet(40, 250), 1400, 128);
    expect(layout.perCell).toBe(1);
    expect(layout.cells).toHaveLength(10_000);
  });

  test("on a phone 10,000 nodes are aggregated within their sites, the worst in sight", () => {
    const cells = fleet(40, 250, (i) => (i === 1234 ? "dead_letter" : "acked"));
    const layout = expectTidy(cells, 358, 96);
    expect(layout.perCell).toBeGreaterThan(1);
    const bad = layout.cells.filter((c) => c.status === "dead_letter");
    expect(bad).toHaveLength(1);
    expect(bad[0]).toMatchObject({ node: "n1234", site: "s4" });
    expect(layout.cells.every((c) => c.count <= layout.perCell)).toBe(true);
  });

  test("more sites than cells still gives a picture", () => {
    expectTidy(fleet(20_000, 1), 358, 64);
  });

  test("every size from a handful to thousands stays inside its box", () => {
    for (const n of [1, 2, 7, 30, 99, 250, 1000, 4321]) {
      for (const width of [320, 777, 1500]) expectTidy(fleet(Math.ceil(n / 9), 9).slice(0, n), width, 128);
    }
  });

  test("nothing to show and no room give an empty strip", () => {
    expect(layoutStrip([], 1000, 100).cells).toEqual([]);
    expect(layoutStrip(fleet(1, 3), 0, 100).cells).toEqual([]);
  });
});

test("a point finds its cell", () => {
  const layout = layoutStrip(fleet(2, 3), 400, 64);
  const third = layout.cells[2]!;
  expect(cellAt(layout, third.x + 1, third.y + 1)).toBe(third);
  expect(cellAt(layout, 399, 63)).toBeUndefined();
});

test("site names are written where they do not meet", () => {
  const layout = layoutStrip(fleet(100, 3), 1000, 64);
  const shown = siteLabels(layout, () => 30, 1000);
  expect(shown.length).toBeGreaterThan(5);
  for (let i = 1; i < shown.length; i++) expect(shown[i]!.x).toBeGreaterThanOrEqual(shown[i - 1]!.x + 30);
  expect(shown.at(-1)!.x + 30).toBeLessThanOrEqual(1000);
});
