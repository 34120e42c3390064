import { useEffect, useMemo, useRef, useState } from "react";
import type { Fleet } from "../data/types";
import { statuses } from "../data/types";
import { cellAt, layoutStrip, type StripCell, type StripSite, siteLabels } from "../lib/strip";
import { number, plural, statusWord } from "../lib/words";
import css from "./FleetStrip.module.css";
import { drawStrip, readPalette, textWidth } from "./drawStrip";
import { useThemeTick, useWidth } from "./measure";

interface Props {
  fleet: Fleet;
  maxHeight?: number;
  /** What a click on a cell filters by. */
  onCell?: (cell: StripCell) => void;
  onSite?: (site: string) => void;
}

/** One cell a node, ordered by site. The table below each strip says the same in words. */
export function FleetStrip({ fleet, maxHeight = 152, onCell, onSite }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(box);
  const theme = useThemeTick();
  const [hover, setHover] = useState<StripCell>();
  const layout = useMemo(() => layoutStrip(fleet.cells, width, maxHeight), [fleet.cells, width, maxHeight]);

  useEffect(() => {
    if (canvas.current && width > 0) drawStrip(canvas.current, layout, width, readPalette(canvas.current));
    // theme: the same cells in other colours
  }, [layout, width, theme]);

  const find = (event: { clientX: number; clientY: number }) => {
    const rect = canvas.current!.getBoundingClientRect();
    return cellAt(layout, event.clientX - rect.left, event.clientY - rect.top);
  };
  const labels = width > 0 ? siteLabels(layout, (text) => textWidth(text), width) : [];

  return (
    <figure className={css.strip}>
      <div ref={box} className={css.box} style={{ height: layout.height || 16 }}>
        <canvas
          ref={canvas}
          role="img"
          aria-label={summary(fleet)}
          className={onCell && hover ? css.pointing : undefined}
          onPointerMove={(event) => setHover(find(event))}
          onPointerLeave={() => setHover(undefined)}
          onClick={(event) => {
            const cell = find(event);
            if (cell) onCell?.(cell);
          }}
        />
        {hover ? <Tip cell={hover} left={Math.min(hover.x, Math.max(0, width - 220))} /> : null}
      </div>
      <figcaption className={css.foot}>
        <Sites labels={labels} onSite={onSite} />
        {layout.perCell > 1 ? (
          <p className={css.note}>A cell stands for up to {plural(layout.perCell, "node")} and shows the worst.</p>
        ) : null}
        {fleet.total > fleet.cells.length ? (
          <p className={css.note}>
            The first {number(fleet.cells.length)} of {plural(fleet.total, "node")}. A filter narrows them.
          </p>
        ) : null}
      </figcaption>
    </figure>
  );
}

function Sites({ labels, onSite }: { labels: StripSite[]; onSite?: (site: string) => void }) {
  return (
    <div className={css.sites}>
      {labels.map((s) =>
        onSite ? (
          <button
            key={s.site + s.x}
            type="button"
            style={{ left: s.x }}
            title={`${s.site}: ${plural(s.count, "node")}`}
            onClick={() => onSite(s.site)}
          >
            {s.site}
          </button>
        ) : (
          <span key={s.site + s.x} style={{ left: s.x }}>
            {s.site}
          </span>
        ),
      )}
    </div>
  );
}

function Tip({ cell, left }: { cell: StripCell; left: number }) {
  return (
    <div className={css.tip} style={{ left }} aria-hidden="true">
      {cell.count > 1 ? (
        <>
          {cell.site || "no site"} · {plural(cell.count, "node")} · worst: {statusWord[cell.status]}
        </>
      ) : (
        <>
          <span className="mono">{cell.node}</span> · {cell.site || "no site"} · {statusWord[cell.status]}
        </>
      )}
    </div>
  );
}

function summary(fleet: Fleet): string {
  const parts = statuses.filter((s) => fleet.counts?.[s]).map((s) => `${fleet.counts[s]} ${statusWord[s]}`);
  return `Fleet strip, ${plural(fleet.total, "node")}: ${parts.join(", ") || "none"}`;
}
