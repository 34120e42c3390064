import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes, useId } from "react";
import css from "./Field.module.css";

interface Shared {
  label: string;
  hint?: ReactNode;
  error?: string;
}

function Frame({ id, label, hint, error, children }: Shared & { id: string; children: ReactNode }) {
  return (
    <div className={css.field}>
      <label htmlFor={id}>{label}</label>
      {children}
      {error ? (
        <p id={`${id}-note`} className={css.error}>
          {error}
        </p>
      ) : hint ? (
        <p id={`${id}-note`} className={css.hint}>
          {hint}
        </p>
      ) : null}
    </div>
  );
}

export function TextField({
  label,
  hint,
  error,
  mono,
  ...input
}: Shared & { mono?: boolean } & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <input
        {...input}
        id={id}
        className={`${css.input} ${mono ? "mono" : ""}`}
        aria-invalid={Boolean(error) || undefined}
        aria-describedby={error || hint ? `${id}-note` : undefined}
        spellCheck={mono ? false : input.spellCheck}
        autoCapitalize={mono ? "none" : input.autoCapitalize}
      />
    </Frame>
  );
}

export function SelectField({
  label,
  hint,
  error,
  children,
  ...select
}: Shared & SelectHTMLAttributes<HTMLSelectElement>) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <select {...select} id={id} className={css.input} aria-describedby={error || hint ? `${id}-note` : undefined}>
        {children}
      </select>
    </Frame>
  );
}

/** A text of several lines, such as a PEM. */
export function TextArea({ label, hint, error, ...area }: Shared & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <textarea
        rows={3}
        {...area}
        id={id}
        className={`${css.input} ${css.area} mono`}
        aria-invalid={Boolean(error) || undefined}
        aria-describedby={error || hint ? `${id}-note` : undefined}
        spellCheck={false}
        autoCapitalize="none"
      />
    </Frame>
  );
}

export function Check({ label, ...input }: { label: string } & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <label className={css.check}>
      <input {...input} type="checkbox" />
      {label}
    </label>
  );
}

/** A filter's input: no label to be seen, one to be heard. */
export function Search({ label, ...input }: { label: string } & InputHTMLAttributes<HTMLInputElement>) {
  return <input {...input} type="search" aria-label={label} className={`${css.input} ${css.search}`} spellCheck={false} />;
}
