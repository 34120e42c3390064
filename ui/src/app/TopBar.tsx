import { Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import type { Me } from "../data/types";
import { Chip } from "./Chip";
import css from "./TopBar.module.css";

// The menu's machinery comes after the first paint.
const UserMenu = lazy(() => import("./UserMenu"));

interface Props {
  me: Me;
  navOpen: boolean;
  onNav: () => void;
  onPalette: () => void;
}

const mac = /Mac|iPhone|iPad/.test(navigator.platform);

export function TopBar({ me, navOpen, onNav, onPalette }: Props) {
  return (
    <header className={css.bar}>
      <button type="button" className={css.menuButton} aria-expanded={navOpen} aria-controls="nav" onClick={onNav}>
        {navOpen ? "Close" : "Menu"}
      </button>
      <Link to="/" className={css.name}>
        <Mark />
        Drover
      </Link>
      <span className={css.cluster} title={`Cluster ${me.cluster.name}`}>
        {me.cluster.name}
      </span>
      <span className={css.space} />
      <Chip />
      <button type="button" className={css.palette} onClick={onPalette}>
        Go to <kbd>{mac ? "⌘K" : "Ctrl K"}</kbd>
      </button>
      <Suspense fallback={<span className={css.user}>{me.user}</span>}>
        <UserMenu me={me} />
      </Suspense>
    </header>
  );
}

// Three columns of a fleet strip, one of them falling short.
function Mark() {
  return (
    <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" fill="currentColor">
      <path d="M0 0h3.2v12H0zM4.4 0h3.2v12H4.4z" />
      <path d="M8.8 4H12v8H8.8z" opacity="0.5" />
    </svg>
  );
}
