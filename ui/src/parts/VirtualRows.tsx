import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, type ReactNode, useLayoutEffect, useRef, useState } from "react";
import css from "./DataTable.module.css";

interface Props<T> {
  rows: readonly T[];
  keyOf: (row: T) => string;
  render: (row: T, index: number, place: CSSProperties) => ReactNode;
}

/** Rows of one height, of which only those in sight are drawn; the window scrolls. */
export function VirtualRows<T>({ rows, keyOf, render }: Props<T>) {
  const body = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState({ top: 0, height: 28 });
  useLayoutEffect(() => {
    const measure = () => {
      if (!body.current) return;
      const top = Math.round(body.current.getBoundingClientRect().top + window.scrollY);
      const height = Number.parseInt(getComputedStyle(body.current).getPropertyValue("--row"), 10) || 28;
      setPlace((old) => (old.top === top && old.height === height ? old : { top, height }));
    };
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(document.body);
    return () => watch.disconnect();
  }, []);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => place.height,
    scrollMargin: place.top,
    overscan: 12,
    getItemKey: (i) => keyOf(rows[i]!),
  });
  // The virtualizer remembers sizes; another pointer or width changes them all.
  useLayoutEffect(() => virtual.measure(), [virtual, place.height]);
  return (
    <div role="rowgroup" ref={body} className={css.virtual} style={{ height: virtual.getTotalSize() }}>
      {virtual.getVirtualItems().map((item) =>
        render(rows[item.index]!, item.index, {
          position: "absolute",
          insetInline: 0,
          transform: `translateY(${item.start - place.top}px)`,
        }),
      )}
    </div>
  );
}
