// The draft of a document: what a person has typed and not yet pushed. It stays in this browser, per cluster and name.

import { load, store } from "./prefs";

export interface Draft {
  content: string;
  target: string;
  selector: string;
  schema: string;
  message: string;
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
    return typeof draft.content === "string" && typeof draft.base === "number" ? draft : undefined;
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

/** Whether two drafts would commit the same thing. */
export function sameEdit(a: Omit<Draft, "message" | "saved" | "base">, b: Omit<Draft, "message" | "saved" | "base">) {
  return a.content === b.content && a.target === b.target && a.selector === b.selector && a.schema === b.schema;
}
