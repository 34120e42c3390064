import { type ReactNode, useEffect, useRef, useState } from "react";
import { ApiError } from "../data/http";
import { sentence } from "../lib/words";
import { Button } from "./Button";
import css from "./State.module.css";

/** What a query gives, as far as a page's states need it. */
export interface Loadable<T> {
  data: T | undefined;
  error: Error | null;
  isPending: boolean;
  isFetching: boolean;
  refetch: () => unknown;
}

interface Props<T> {
  query: Loadable<T>;
  /** Rows of the skeleton. */
  rows?: number;
  children: (data: T) => ReactNode;
}

/**
 * Loading, failed, not allowed, or the data. Data once shown stays: a refetch that fails puts its error above it.
 */
export function Loaded<T>({ query, rows = 6, children }: Props<T>) {
  if (query.data === undefined) {
    if (query.error) return <Failed error={query.error} retry={query.refetch} busy={query.isFetching} />;
    return <Skeleton rows={rows} />;
  }
  return (
    <>
      {query.error ? <Failed error={query.error} retry={query.refetch} busy={query.isFetching} /> : null}
      {children(query.data)}
    </>
  );
}

/** Nothing for 150 ms, then grey rows: a fast answer never flickers. */
export function Skeleton({ rows }: { rows: number }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 150);
    return () => clearTimeout(timer);
  }, []);
  if (!late) return <div className={css.space} />;
  return (
    <div className={css.skeleton} role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} />
      ))}
    </div>
  );
}

export function Failed({ error, retry, busy }: { error: Error; retry?: () => unknown; busy?: boolean }) {
  const api = error instanceof ApiError ? error : undefined;
  const panel = useRef<HTMLDivElement>(null);
  // At the foot of a long dialog nobody would see it.
  useEffect(() => {
    if (panel.current?.closest('[role="dialog"]')) panel.current.scrollIntoView({ block: "nearest" });
  }, [error]);
  if (api?.status === 403) return <NotAllowed detail={api.message} requestId={api.requestId} />;
  return (
    <div ref={panel} className={`${css.panel} ${css.failed}`} role="alert">
      <h2>{api?.status === 404 ? "Not found" : api ? api.title : "Something went wrong"}</h2>
      <p>{sentence(error.message)}</p>
      {api?.pointer ? <p className="mono">{api.pointer}</p> : null}
      {api && api.problems.length > 0 ? (
        <ul>
          {api.problems.map((p) => (
            <li key={p.pointer + p.message}>
              <code>{p.pointer || "/"}</code> {p.message}
            </li>
          ))}
        </ul>
      ) : null}
      {api?.requestId ? (
        <p className={css.small}>
          Request <code>{api.requestId}</code>
          {api.code ? ` · ${api.code}` : ""}
        </p>
      ) : null}
      {retry ? (
        <div>
          <Button onClick={() => void retry()} busy={busy}>
            Try again
          </Button>
        </div>
      ) : null}
    </div>
  );
}

function NotAllowed({ detail, requestId }: { detail: string; requestId?: string }) {
  return (
    <div className={css.panel}>
      <h2>Not allowed</h2>
      <p>{sentence(detail) || "Your role does not reach this."} An administrator can change your role or your prefixes.</p>
      {requestId ? (
        <p className={css.small}>
          Request <code>{requestId}</code>
        </p>
      ) : null}
    </div>
  );
}

/** Nothing there yet, or nothing left by the filter: says which, and what to do next. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={css.panel}>
      <h2>{title}</h2>
      {children}
    </div>
  );
}
