import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { indentOnInput } from "@codemirror/language";
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorView, keymap } from "@codemirror/view";
import { useEffect, useRef } from "react";
import type { Problem } from "../../data/types";
import { diagnose } from "../../lib/diagnose";
import css from "./Editor.module.css";
import { common, readOnly } from "./setup";

interface Props {
  label: string;
  value: string;
  onChange?: (text: string) => void;
  problems?: Problem[];
  autoFocus?: boolean;
  /** Small editors, for schemas. */
  compact?: boolean;
}

// Left to itself, Chromium carries the style of a text that is typed over along in a style attribute, which the page's
// content security policy refuses.
function typeOver(event: InputEvent, view: EditorView): boolean {
  const typed = event.inputType === "insertText" && !event.isComposing && event.data;
  if (!typed || view.state.readOnly || view.state.selection.main.empty) return false;
  event.preventDefault();
  view.dispatch(view.state.replaceSelection(typed), { userEvent: "input.type", scrollIntoView: true });
  return true;
}

/** The JSON editor. Tab moves on as everywhere (Escape first is not needed); F8 goes to the next problem. */
export default function Editor({ label, value, onChange, problems, autoFocus, compact }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const changed = useRef(onChange);
  changed.current = onChange;
  const writable = Boolean(onChange);

  useEffect(() => {
    const made = new EditorView({
      doc: value,
      parent: host.current!,
      extensions: [
        common(label),
        search({ top: true }),
        highlightSelectionMatches(),
        writable ? [history(), indentOnInput(), lintGutter()] : readOnly(),
        keymap.of([...defaultKeymap, ...searchKeymap, ...historyKeymap, ...lintKeymap]),
        EditorView.domEventHandlers({ beforeinput: typeOver }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) changed.current?.(update.state.doc.toString());
        }),
      ],
    });
    view.current = made;
    if (autoFocus) made.focus();
    return () => made.destroy();
  }, [label, writable]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || !writable) return;
    const marks: Diagnostic[] = diagnose(editor.state.doc.toString(), problems ?? []).map((p) => ({
      ...p,
      severity: "error",
    }));
    editor.dispatch(setDiagnostics(editor.state, marks));
  }, [problems, writable]);

  return <div ref={host} className={`${css.editor} ${compact ? css.compact : ""}`} />;
}
