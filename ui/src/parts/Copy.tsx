import { useRef, useState } from "react";
import { Button } from "./Button";
import css from "./Copy.module.css";

/** A text to take along, with a button that copies it. Without a clipboard (plain HTTP) it selects the text instead. */
export function Copy({ text, label }: { text: string; label: string }) {
  const [done, setDone] = useState("");
  const pre = useRef<HTMLPreElement>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone("Copied");
    } catch {
      if (pre.current) getSelection()?.selectAllChildren(pre.current);
      setDone("Selected – press Ctrl+C");
    }
  };
  return (
    <div className={css.copy}>
      <pre ref={pre} tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <Button onClick={() => void copy()}>{done || "Copy"}</Button>
    </div>
  );
}
