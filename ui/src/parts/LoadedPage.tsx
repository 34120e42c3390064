import type { ReactNode } from "react";
import { Page } from "./Page";
import { type Loadable, Loaded } from "./State";

interface Props<T> {
  title: string;
  heading?: ReactNode;
  query: Loadable<T>;
  children: (data: T) => ReactNode;
}

/** A page whose heading needs its data: until that is there, the title stands over the loading or failed state. */
export function LoadedPage<T>({ title, heading, query, children }: Props<T>) {
  if (query.data !== undefined && !query.error) return children(query.data);
  if (query.data !== undefined) return <Loaded query={query}>{children}</Loaded>;
  return (
    <Page title={title} heading={heading}>
      <Loaded query={query} rows={12}>
        {children}
      </Loaded>
    </Page>
  );
}
