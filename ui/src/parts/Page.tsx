import { type ReactNode, useEffect } from "react";
import css from "./Page.module.css";

interface Props {
  /** The heading, and the title of the tab. */
  title: string;
  /** Shown in the heading instead of the title, for names in mono. */
  heading?: ReactNode;
  /** Beside the heading: what the object is in a few words. */
  aside?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, heading, aside, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Drover`;
  }, [title]);
  return (
    <div className={css.page}>
      <header className={css.head}>
        <div className={css.title}>
          <h1>{heading ?? title}</h1>
          {aside ? <div className={css.aside}>{aside}</div> : null}
        </div>
        {actions ? <div className={css.actions}>{actions}</div> : null}
      </header>
      {children}
    </div>
  );
}

/** A part of a page under a small heading and a hairline. */
export function Section({ title, aside, children }: { title: ReactNode; aside?: ReactNode; children: ReactNode }) {
  return (
    <section className={css.section}>
      <div className={css.sectionHead}>
        <h2>{title}</h2>
        {aside ? <div className={css.aside}>{aside}</div> : null}
      </div>
      {children}
    </section>
  );
}

/** Names and values, one under another. */
export function Facts({ items }: { items: [name: string, value: ReactNode][] }) {
  return (
    <dl className={css.facts}>
      {items.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value ?? "–"}</dd>
        </div>
      ))}
    </dl>
  );
}
