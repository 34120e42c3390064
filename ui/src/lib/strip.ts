// The fleet strip: where each node's cell lies. One cell a node while they fit; beyond that a cell stands for several
// neighbours of one site and shows the worst of them. Cells run down a column, then on to the next, site after site.

import { type FleetCell, type Status, statuses } from "../data/types";

export interface StripCell {
  x: number;
  y: number;
  site: string;
  status: Status;
  /** The first node, and how many the cell stands for. */
  node: string;
  count: number;
}

export interface StripSite {
  site: string;
  x: number;
  width: number;
  count: number;
}

export interface StripLayout {
  cells: StripCell[];
  sites: StripSite[];
  cellWidth: number;
  cellHeight: number;
  /** Space between two cells, part of their width and height. */
  gap: number;
  rows: number;
  /** Nodes a cell stands for, at most. */
  perCell: number;
  height: number;
}

const pitches = [16, 14, 12, 10, 8, 7, 6, 5, 4];
const rank = new Map<Status, number>(statuses.map((s, i) => [s, i]));

/** The worst of some statuses: dead letter before reverted before retrying … before acked. */
export function worst(of: Iterable<Status>): Status {
  let found: Status = "acked";
  for (const status of of) {
    if ((rank.get(status) ?? 0) < (rank.get(found) ?? 0)) found = status;
  }
  return found;
}

interface Group {
  site: string;
  cells: readonly FleetCell[];
}

/** Neighbours of one site, in the order given. */
export function groupBySite(cells: readonly FleetCell[]): Group[] {
  const groups: Group[] = [];
  let start = 0;
  for (let i = 1; i <= cells.length; i++) {
    if (i < cells.length && cells[i]![1] === cells[start]![1]) continue;
    groups.push({ site: cells[start]![1], cells: cells.slice(start, i) });
    start = i;
  }
  return groups;
}

export function layoutStrip(cells: readonly FleetCell[], width: number, maxHeight: number): StripLayout {
  const empty = { cells: [], sites: [], cellWidth: 0, cellHeight: 0, gap: 0, rows: 0, perCell: 1, height: 0 };
  if (cells.length === 0 || width < 8) return empty;
  const groups = groupBySite(cells);
  for (const pitch of pitches) {
    const maxRows = Math.max(1, Math.floor(maxHeight / pitch));
    if (cells.length > Math.floor(width / pitch) * maxRows) continue;
    for (let rows = 1; rows <= maxRows; rows++) {
      const columns = groups.reduce((sum, g) => sum + Math.ceil(g.cells.length / rows), 0);
      const between = siteGap(pitch) * (groups.length - 1);
      if (columns * pitch + between > width) continue;
      return place(groups, pitch, rows, 1, stretched(pitch, rows, columns, width - between));
    }
  }
  return aggregate(groups, cells, width, maxHeight);
}

const siteGap = (pitch: number) => (pitch >= 8 ? 5 : 2);

// A handful of nodes makes a strip too: their cells are drawn out.
function stretched(pitch: number, rows: number, columns: number, width: number): number {
  const most = rows === 1 ? pitch * 4 : pitch * 2;
  return Math.max(pitch, Math.min(most, Math.floor(width / columns)));
}

// Too many for a cell each, or too many sites for a column each: cells flow on without a break between sites.
function aggregate(groups: Group[], cells: readonly FleetCell[], width: number, maxHeight: number): StripLayout {
  const pitch = pitches.at(-1)!;
  const rows = Math.max(1, Math.floor(maxHeight / pitch));
  const capacity = Math.max(1, Math.floor(width / pitch)) * rows;
  let perCell = Math.max(1, Math.ceil(cells.length / capacity));
  const needed = (k: number) => groups.reduce((sum, g) => sum + Math.ceil(g.cells.length / k), 0);
  if (groups.length > capacity) return flow([{ site: "", cells }], pitch, rows, perCell, width);
  while (needed(perCell) > capacity) perCell++;
  return flow(groups, pitch, rows, perCell, width);
}

function flow(groups: Group[], pitch: number, rows: number, perCell: number, room: number): StripLayout {
  const total = groups.reduce((sum, g) => sum + Math.ceil(g.cells.length / perCell), 0);
  const width = stretched(pitch, rows, Math.ceil(total / rows), room);
  const cells: StripCell[] = [];
  const sites: StripSite[] = [];
  for (const group of groups) {
    const first = cells.length;
    for (let i = 0; i < group.cells.length; i += perCell) {
      const n = cells.length;
      cells.push(cellOf(group.cells.slice(i, i + perCell), Math.floor(n / rows) * width, (n % rows) * pitch));
    }
    const x = Math.floor(first / rows) * width;
    const end = (Math.floor((cells.length - 1) / rows) + 1) * width;
    sites.push({ site: group.site, x, width: end - x, count: group.cells.length });
  }
  return { cells, sites, cellWidth: width, cellHeight: pitch, gap: 1, rows, perCell, height: rows * pitch };
}

function place(groups: Group[], pitch: number, rows: number, perCell: number, cellWidth: number): StripLayout {
  const cells: StripCell[] = [];
  const sites: StripSite[] = [];
  let x = 0;
  for (const group of groups) {
    const columns = Math.ceil(group.cells.length / rows);
    group.cells.forEach((cell, i) => {
      cells.push(cellOf([cell], x + Math.floor(i / rows) * cellWidth, (i % rows) * pitch));
    });
    sites.push({ site: group.site, x, width: columns * cellWidth, count: group.cells.length });
    x += columns * cellWidth + siteGap(pitch);
  }
  const gap = pitch >= 8 ? 2 : 1;
  return { cells, sites, cellWidth, cellHeight: pitch, gap, rows, perCell, height: rows * pitch };
}

function cellOf(members: readonly FleetCell[], x: number, y: number): StripCell {
  const [node, site] = members[0]!;
  const status = worst(members.map((m) => m[2]));
  const shown = members.find((m) => m[2] === status)?.[0] ?? node;
  return { x, y, site, status, node: shown, count: members.length };
}

/** The cell under a point, undefined between cells. */
export function cellAt(layout: StripLayout, x: number, y: number): StripCell | undefined {
  const inside = (c: StripCell) =>
    x >= c.x && x < c.x + layout.cellWidth && y >= c.y && y < c.y + layout.cellHeight;
  return layout.cells.find(inside);
}

/** Which sites get their name written: those whose name fits, from the left, none over another. */
export function siteLabels(layout: StripLayout, measure: (text: string) => number, width: number): StripSite[] {
  const shown: StripSite[] = [];
  let free = 0;
  for (const site of layout.sites) {
    const size = measure(site.site);
    if (site.site === "" || site.x < free || site.x + size > width) continue;
    shown.push(site);
    free = site.x + size + 10;
  }
  return shown;
}
