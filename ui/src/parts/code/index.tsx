// CodeMirror is a third of the interface's weight, so it is loaded when an editor or a diff is first shown.

import { type ComponentProps, lazy, Suspense } from "react";
import { Skeleton } from "../State";

const LazyEditor = lazy(() => import("./Editor"));
const LazyDiff = lazy(() => import("./Diff"));

export function CodeEditor(props: ComponentProps<typeof LazyEditor>) {
  return (
    <Suspense fallback={<Skeleton rows={8} />}>
      <LazyEditor {...props} />
    </Suspense>
  );
}

export function TextDiff(props: ComponentProps<typeof LazyDiff>) {
  return (
    <Suspense fallback={<Skeleton rows={8} />}>
      <LazyDiff {...props} />
    </Suspense>
  );
}
