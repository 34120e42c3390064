import { useMemo, useState } from "react";

/** What a person has ticked. It is frozen: a row that changes or goes stays chosen until the person unticks it. */
export interface Selection {
  ids: ReadonlySet<string>;
  toggle: (id: string) => void;
  /** Ticks all of these, or unticks them when all were ticked. */
  toggleAll: (ids: readonly string[]) => void;
  clear: () => void;
}

export function useSelection(): Selection {
  const [ids, set] = useState<ReadonlySet<string>>(() => new Set());
  return useMemo(
    () => ({
      ids,
      toggle: (id) => set((old) => toggled(old, id)),
      toggleAll: (all) => set((old) => toggledAll(old, all)),
      clear: () => set(new Set()),
    }),
    [ids],
  );
}

export function toggled(old: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(old);
  if (!next.delete(id)) next.add(id);
  return next;
}

export function toggledAll(old: ReadonlySet<string>, all: readonly string[]): ReadonlySet<string> {
  const every = all.every((id) => old.has(id));
  const next = new Set(old);
  for (const id of all) {
    if (every) next.delete(id);
    else next.add(id);
  }
  return next;
}
