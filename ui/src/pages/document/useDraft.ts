import { useCallback, useMemo, useState } from "react";
import { useMe } from "../../app/may";
import type { Edit } from "../../data/documents";
import type { DocumentFull } from "../../data/types";
import { type Draft, dropDraft, follow, loadDraft, sameEdit, saveDraft } from "../../lib/draft";
import { notify } from "../../parts/notices";

/** The draft that a document as it is now would begin with. */
export function draftOf(doc: DocumentFull | undefined): Draft {
  const was = { target: doc?.target ?? "", selector: doc?.selector ?? "", schema: doc?.schemaText ?? "" };
  return {
    content: doc?.text ?? "{\n  \n}",
    ...was,
    was,
    message: "",
    base: doc?.version ?? 0,
    saved: 0,
  };
}

/** A draft as one edit; what it does not change is left out, so that it stays as it is. */
export function editOf(name: string, draft: Draft, base: Draft): Edit {
  return {
    document: name,
    content: draft.content,
    base: draft.base || undefined,
    target: draft.target !== base.target ? draft.target || name : undefined,
    selector: draft.selector !== base.selector ? draft.selector : undefined,
    schema: draft.schema !== base.schema ? draft.schema : undefined,
  };
}

/** Whether this browser keeps a draft of a document. */
export function useHasDraft(name: string): boolean {
  const cluster = useMe()?.cluster.id ?? "";
  return Boolean(loadDraft(cluster, name)?.saved);
}

export interface DraftHandle {
  draft: Draft;
  dirty: boolean;
  set: (change: Partial<Draft>) => void;
  /** Forgets the draft and begins again from what is effective. */
  discard: () => void;
  /** Keeps the text and takes the effective version for its base. */
  rebase: () => void;
  /** The draft was pushed: forget it here and in the browser. */
  done: () => void;
}

export function useDraft(name: string, doc: DocumentFull | undefined): DraftHandle {
  const cluster = useMe()?.cluster.id ?? "";
  const [kept, setDraft] = useState(() => loadDraft(cluster, name) ?? draftOf(doc));
  const draft = useMemo(() => follow(kept, draftOf(doc)), [kept, doc]);
  const keep = useCallback(
    (next: Draft) => {
      setDraft(next);
      const base = draftOf(doc);
      if (sameEdit(next, base) && next.message === "") dropDraft(cluster, name);
      else if (!saveDraft(cluster, name, next)) {
        notify("This browser does not keep the draft; push it before you leave the page.", true);
      }
    },
    [cluster, name, doc],
  );
  return {
    draft,
    dirty: !sameEdit(draft, draftOf(doc)),
    set: (change) => keep({ ...draft, ...change, saved: Date.now() }),
    discard: () => keep(draftOf(doc)),
    rebase: () => keep({ ...draft, base: doc?.version ?? 0, saved: Date.now() }),
    done: () => dropDraft(cluster, name),
  };
}
