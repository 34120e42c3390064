// The draft of a document: what a person has typed and not yet pushed. It stays in this browser, per cluster and name.

import { load, store } from "./prefs";

/** What a document has beside its content. */
export interface Settings {
  target: string;
  selector: string;
  schema: string;
}

export interface Draft extends Settings {
  content: string;
  message: string;
  /** The settings that it was begun from: what still equals them was not touched. */
  was: Settings;
  /** The version it was begun from; 0 for a new document. */
  base: number;
  saved: number;
}

const key = (cluster: string, name: string) => `drover.draft.${cluster}.${name}`;

export function loadDraft(cluster: string, name: string): Draft | undefined {
  const text = load(key(cluster, name));
  if (!text) return undefined;
  try {
    const draft = JSON.parse(text) as Draft;
    return typeof draft.content === "string" && typeof draft.base === "number" && draft.was ? draft : undefined;
  } catch {
    return undefined;
  }
}

/** False when the browser would not keep it. */
export function saveDraft(cluster: string, name: string, draft: Draft): boolean {
  return store(key(cluster, name), JSON.stringify(draft));
}

export function dropDraft(cluster: string, name: string) {
  store(key(cluster, name), null);
}

/**
 * A draft over what is effective now, of which `fresh` is the untouched draft. A setting that the person did not touch
 * follows what others make of it, so that a push never takes their change back unseen; so does all of a draft that
 * nobody has typed in yet. The content and its base stay: they may conflict, which a person decides.
 */
export function follow(draft: Draft, fresh: Draft): Draft {
  if (draft.saved === 0) return fresh;
  const next = { ...draft, was: fresh.was };
  for (const key of ["target", "selector", "schema"] as const) {
    if (draft[key] === draft.was[key]) next[key] = fresh[key];
  }
  return next;
}

/** Whether two drafts would commit the same thing. */
export function sameEdit(a: Settings & { content: string }, b: Settings & { content: string }) {
  return a.content === b.content && a.target === b.target && a.selector === b.selector && a.schema === b.schema;
}
