import { MergeView, unifiedMergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { useEffect, useRef } from "react";
import css from "./Diff.module.css";
import { common, readOnly } from "./setup";

interface Props {
  before: string;
  after: string;
  beforeLabel: string;
  afterLabel: string;
}

// The default limits take seven scattered edits in a large file for one.
const diffConfig = { scanLimit: 1e9, timeout: 1000 };
const collapseUnchanged = { margin: 3, minSize: 6 };
const narrow = 860;

/** Two texts side by side, or one under the other where there is no room. */
export default function Diff({ before, after, beforeLabel, afterLabel }: Props) {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const parent = host.current!;
    if (parent.clientWidth < narrow) {
      const view = new EditorView({
        parent,
        doc: after,
        extensions: [
          common(`${beforeLabel} to ${afterLabel}`),
          readOnly(),
          EditorView.lineWrapping,
          unifiedMergeView({ original: before, mergeControls: false, diffConfig, collapseUnchanged, gutter: true }),
        ],
      });
      return () => view.destroy();
    }
    const side = (doc: string, label: string) => ({
      doc,
      extensions: [common(label), readOnly(), EditorView.lineWrapping, EditorState.allowMultipleSelections.of(false)],
    });
    const merge = new MergeView({
      a: side(before, beforeLabel),
      b: side(after, afterLabel),
      parent,
      diffConfig,
      collapseUnchanged,
      gutter: true,
    });
    return () => merge.destroy();
  }, [before, after, beforeLabel, afterLabel]);
  return (
    <div className={css.diff}>
      <div className={css.heads}>
        <span>{beforeLabel}</span>
        <span>{afterLabel}</span>
      </div>
      <div ref={host} className={css.host} />
    </div>
  );
}
