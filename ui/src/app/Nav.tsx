import { Link } from "@tanstack/react-router";
import css from "./Nav.module.css";

const pages = [
  { to: "/", label: "Overview" },
  { to: "/documents", label: "Documents" },
  { to: "/pushes", label: "Pushes" },
  { to: "/nodes", label: "Nodes" },
  { to: "/instances", label: "Instances" },
  { to: "/deadletters", label: "Dead letters" },
  { to: "/cluster", label: "Cluster" },
  { to: "/audit", label: "Audit" },
] as const;

const settings = [
  { to: "/settings/users", label: "Users" },
  { to: "/settings/tokens", label: "Tokens" },
  { to: "/settings/appearance", label: "Appearance" },
] as const;

/** Every place there is; the palette offers the same. */
export const places = [...pages, ...settings];

export function Nav({ open, onGo }: { open: boolean; onGo: () => void }) {
  const link = (page: (typeof places)[number]) => (
    <li key={page.to}>
      <Link
        to={page.to}
        className={css.link}
        activeOptions={{ exact: page.to === "/", includeSearch: false }}
        activeProps={{ className: css.active, "aria-current": "page" }}
        onClick={onGo}
      >
        {page.label}
      </Link>
    </li>
  );
  return (
    <nav id="nav" className={`${css.nav} ${open ? css.open : ""}`} aria-label="Main">
      <ul>{pages.map(link)}</ul>
      <p className={css.group}>Settings</p>
      <ul>{settings.map(link)}</ul>
    </nav>
  );
}
