import type { ReactNode } from "react";
import css from "./Tabs.module.css";

interface Tab {
  id: string;
  label: ReactNode;
}

interface Props {
  label: string;
  tabs: Tab[];
  current: string;
  /** A link to the tab: tabs are places and live in the URL. */
  link: (tab: Tab, className: string | undefined) => ReactNode;
}

export function Tabs({ label, tabs, current, link }: Props) {
  return (
    <nav className={css.tabs} aria-label={label}>
      {tabs.map((tab) => (
        <span key={tab.id}>{link(tab, tab.id === current ? `${css.tab} ${css.current}` : css.tab)}</span>
      ))}
    </nav>
  );
}
