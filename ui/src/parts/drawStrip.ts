// Draws the fleet strip. Each status has a texture of its own as well as a colour, so that cells of a readable size
// differ without it: filled, half filled, outlined, parted, crossed, holed, slashed.

import { type Status, statuses } from "../data/types";
import type { StripLayout } from "../lib/strip";

export type Palette = Record<Status, string> & { paper: string };

const variable = (s: Status) => `--${s.replace("_", "-")}`;

/** The colours of the theme in force, resolved (a custom property still says light-dark(…)). */
export function readPalette(near: Element): Palette {
  const probe = document.createElement("span");
  near.parentElement!.append(probe);
  const resolve = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const palette = { paper: resolve("--paper") } as Palette;
  for (const status of statuses) palette[status] = resolve(variable(status));
  probe.remove();
  return palette;
}

let measuring: CanvasRenderingContext2D | null | undefined;

/** The width of a site's name under the strip, with its rule and padding. */
export function textWidth(text: string): number {
  measuring ??= document.createElement("canvas").getContext("2d");
  if (!measuring) return text.length * 7;
  measuring.font = "11px Inter";
  return measuring.measureText(text).width + 8;
}

export function drawStrip(canvas: HTMLCanvasElement, layout: StripLayout, width: number, palette: Palette) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(layout.height * scale);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${layout.height}px`;
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.scale(scale, scale);
  pen.clearRect(0, 0, width, layout.height);
  const w = layout.cellWidth - layout.gap;
  const h = layout.cellHeight - layout.gap;
  for (const cell of layout.cells) drawCell(pen, cell.x, cell.y, w, h, cell.status, palette);
}

function drawCell(
  pen: CanvasRenderingContext2D,
  x: number,
  y: number,
  w: number,
  h: number,
  status: Status,
  palette: Palette,
) {
  const color = palette[status] ?? palette.pending;
  pen.fillStyle = color;
  pen.strokeStyle = color;
  pen.lineWidth = 1;
  pen.globalAlpha = 1;
  const small = h < 6;
  switch (status) {
    case "acked":
      pen.globalAlpha = 0.72;
      pen.fillRect(x, y, w, h);
      break;
    case "in_flight":
      pen.globalAlpha = small ? 1 : 0.35;
      pen.fillRect(x, y, w, h);
      pen.globalAlpha = 1;
      if (!small) pen.fillRect(x, y + h / 2, w, h / 2);
      break;
    case "pending":
      outline(pen, x, y, w, h, small);
      break;
    case "offline":
      outline(pen, x, y, w, h, small);
      if (!small) line(pen, x + 0.5, y + h - 0.5, x + w - 0.5, y + 0.5);
      break;
    case "retrying":
      pen.fillRect(x, y, w, h);
      if (!small) cut(pen, palette.paper, () => pen.fillRect(x, y + h / 2 - 1, w, 2));
      break;
    case "reverted":
      pen.fillRect(x, y, w, h);
      if (!small) cut(pen, palette.paper, () => line(pen, x, y, x + w, y + h));
      break;
    case "dead_letter":
      pen.fillRect(x, y, w, h);
      if (!small) cut(pen, palette.paper, () => pen.fillRect(x + w / 2 - 1.5, y + h / 2 - 1.5, 3, 3));
      break;
  }
  pen.globalAlpha = 1;
}

function outline(pen: CanvasRenderingContext2D, x: number, y: number, w: number, h: number, small: boolean) {
  if (small) {
    pen.globalAlpha = 0.45;
    pen.fillRect(x, y, w, h);
    return;
  }
  pen.strokeRect(x + 0.5, y + 0.5, w - 1, h - 1);
}

function line(pen: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

function cut(pen: CanvasRenderingContext2D, paper: string, draw: () => void) {
  pen.fillStyle = paper;
  pen.strokeStyle = paper;
  pen.lineWidth = 1.5;
  draw();
}
