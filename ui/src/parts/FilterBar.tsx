import { type ReactNode, useEffect, useRef, useState } from "react";
import { Search } from "./Field";
import css from "./FilterBar.module.css";

interface Props {
  label: string;
  placeholder?: string;
  value: string;
  onChange: (value: string) => void;
  children?: ReactNode;
}

const pause = 200;

/** A text filter that goes into the URL shortly after the last key. */
export function FilterBar({ label, placeholder, value, onChange, children }: Props) {
  const [text, setText] = useState(value);
  const sent = useRef(value);
  const change = useRef(onChange);
  change.current = onChange;

  // The URL changed by other means (a click on the strip, the back button): it wins.
  useEffect(() => {
    if (value === sent.current) return;
    sent.current = value;
    setText(value);
  }, [value]);

  // Space at the end is somebody about to type on: it stays in the field and out of the URL.
  useEffect(() => {
    const next = text.trim();
    if (next === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = next;
      change.current(next);
    }, pause);
    return () => clearTimeout(timer);
  }, [text]);

  return (
    <div className={css.bar}>
      <Search label={label} placeholder={placeholder} value={text} onChange={(e) => setText(e.target.value)} />
      {children}
    </div>
  );
}
