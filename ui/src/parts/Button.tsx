import { Link, type LinkProps } from "@tanstack/react-router";
import { type ButtonHTMLAttributes, type ReactNode, useId } from "react";
import css from "./Button.module.css";
import { notify } from "./notices";

type Kind = "primary" | "plain" | "quiet" | "danger";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: Kind;
  /** Why the button is off. It stays reachable, so that the reason can be read. */
  why?: string;
  busy?: boolean;
}

export function Button({ kind = "plain", why, busy, className, children, onClick, type = "button", ...rest }: Props) {
  const id = useId();
  const off = Boolean(why) || busy;
  return (
    <>
      <button
        {...rest}
        type={type}
        className={`${css.button} ${css[kind]} ${className ?? ""}`}
        aria-disabled={off || undefined}
        aria-busy={busy || undefined}
        aria-describedby={why ? id : undefined}
        title={why ?? rest.title}
        onClick={(event) => {
          if (!off) return onClick?.(event);
          event.preventDefault();
          if (why) notify(why);
        }}
      >
        {children}
      </button>
      {why ? (
        <span id={id} className="sr">
          {why}
        </span>
      ) : null}
    </>
  );
}

/** A link that looks like a button; for going somewhere, never for doing something. */
export function LinkButton({ kind = "plain", children, ...link }: LinkProps & { kind?: Kind; children: ReactNode }) {
  return (
    <Link {...link} className={`${css.button} ${css[kind]}`}>
      {children}
    </Link>
  );
}
