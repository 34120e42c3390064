import { type CSSProperties, type ReactNode, useEffect, useRef } from "react";
import { Button } from "./Button";
import css from "./DataTable.module.css";
import { VirtualRows } from "./VirtualRows";

export interface Column<T> {
  head: string;
  /** Stands in the place of the head's text; the text stays its key. */
  headCell?: ReactNode;
  /** A CSS grid track. */
  width: string;
  cell: (row: T) => ReactNode;
  /** Numbers stand at the right. */
  end?: boolean;
  /** Kept on a phone; the track there, when it differs. */
  phone?: boolean | string;
}

interface Props<T> {
  label: string;
  columns: Column<T>[];
  rows: readonly T[];
  keyOf: (row: T) => string;
  onOpen?: (row: T) => void;
  /** More rows wait on the server. */
  more?: { has: boolean; busy: boolean; load: () => void };
  total?: number;
  /** Rows of two lines. */
  tall?: boolean;
}

/** Above this many rows only those in sight are in the DOM. */
const plainRows = 120;

export function DataTable<T>({ label, columns, rows, keyOf, onOpen, more, total, tall }: Props<T>) {
  const style = {
    "--columns": columns.map((c) => c.width).join(" "),
    "--columns-phone": columns
      .filter((c) => c.phone)
      .map((c) => (typeof c.phone === "string" ? c.phone : c.width))
      .join(" "),
  } as CSSProperties;

  const row = (item: T, index: number, place?: CSSProperties) => (
    <div
      key={keyOf(item)}
      role="row"
      aria-rowindex={index + 2}
      className={`${css.row} ${onOpen ? css.open : ""}`}
      style={place}
      onClick={(event) => {
        const target = event.target as HTMLElement;
        if (onOpen && !target.closest("a,button,input,select,label") && !getSelection()?.toString()) onOpen(item);
      }}
    >
      {columns.map((c) => (
        <div key={c.head} role="cell" className={cellClass(c)}>
          {c.cell(item)}
        </div>
      ))}
    </div>
  );

  return (
    <>
      <div role="table" aria-label={label} aria-rowcount={(total ?? rows.length) + 1} className={`${css.table} ${tall ? css.tall : ""}`} style={style}>
        <div role="rowgroup" className={css.top}>
          <div role="row" aria-rowindex={1} className={`${css.row} ${css.head}`}>
            {columns.map((c) => (
              <div key={c.head} role="columnheader" className={cellClass(c)}>
                {c.headCell ?? c.head}
              </div>
            ))}
          </div>
        </div>
        {rows.length > plainRows ? (
          <VirtualRows rows={rows} keyOf={keyOf} render={row} />
        ) : (
          <div role="rowgroup">{rows.map((r, i) => row(r, i))}</div>
        )}
      </div>
      {more?.has ? <More busy={more.busy} load={more.load} /> : null}
    </>
  );
}

function cellClass<T>(c: Column<T>): string {
  return `${css.cell} ${c.end ? css.end : ""} ${c.phone ? "" : css.wide}`;
}

// Asks for the next page when the foot of the table comes near.
function More({ busy, load }: { busy: boolean; load: () => void }) {
  const foot = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const watch = new IntersectionObserver((entries) => entries[0]?.isIntersecting && !busy && load(), {
      rootMargin: "600px",
    });
    if (foot.current) watch.observe(foot.current);
    return () => watch.disconnect();
  }, [busy, load]);
  return (
    <div ref={foot} className={css.more}>
      <Button kind="quiet" busy={busy} onClick={load}>
        {busy ? "Loading more…" : "Load more"}
      </Button>
    </div>
  );
}
