import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Outlet } from "@tanstack/react-router";
import { parseSearch, stringifySearch } from "../lib/search";
import { Missing } from "./Missing";
import { Broken } from "./Broken";
import { Shell } from "./Shell";

// One line a page; each page is a chunk of its own, fetched when it is first opened (or hovered).
const root = createRootRouteWithContext()({ component: Outlet, notFoundComponent: Missing, errorComponent: Broken });
const shell = createRoute({ getParentRoute: () => root, id: "shell", component: Shell, notFoundComponent: Missing });

const text = (search: Record<string, unknown>, key: string) =>
  typeof search[key] === "string" && search[key] !== "" ? (search[key] as string) : undefined;

/** Reads the named parameters of the URL and drops all others. */
const only =
  <K extends string>(...names: K[]) =>
  (search: Record<string, unknown>) =>
    Object.fromEntries(names.map((n) => [n, text(search, n)])) as { [key in K]?: string };

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: only("next"),
  component: lazyRouteComponent(() => import("../pages/login")),
});

const under = <const P extends string>(path: P) => ({ getParentRoute: () => shell, path }) as const;

const pages = [
  createRoute({ ...under("/"), component: lazyRouteComponent(() => import("../pages/overview")) }),
  createRoute({
    ...under("/documents"),
    validateSearch: only("q", "new"),
    component: lazyRouteComponent(() => import("../pages/documents")),
  }),
  createRoute({
    ...under("/documents/$name"),
    validateSearch: only("tab", "step", "version", "do"),
    component: lazyRouteComponent(() => import("../pages/document")),
  }),
  createRoute({
    ...under("/documents/$name/compare"),
    validateSearch: only("from", "to"),
    component: lazyRouteComponent(() => import("../pages/compare")),
  }),
  createRoute({
    ...under("/pushes"),
    validateSearch: only("state", "document"),
    component: lazyRouteComponent(() => import("../pages/pushes")),
  }),
  createRoute({
    ...under("/pushes/$id"),
    validateSearch: only("status", "cause"),
    component: lazyRouteComponent(() => import("../pages/push")),
  }),
  createRoute({
    ...under("/nodes"),
    validateSearch: only("q", "sort", "do"),
    component: lazyRouteComponent(() => import("../pages/nodes")),
  }),
  createRoute({
    ...under("/nodes/$id"),
    validateSearch: only("do"),
    component: lazyRouteComponent(() => import("../pages/node")),
  }),
  createRoute({
    ...under("/instances"),
    validateSearch: only("q", "tab", "document", "do"),
    component: lazyRouteComponent(() => import("../pages/instances")),
  }),
  createRoute({
    ...under("/deadletters"),
    validateSearch: only("q", "cause", "kind", "document", "do"),
    component: lazyRouteComponent(() => import("../pages/deadletters")),
  }),
  createRoute({
    ...under("/cluster"),
    validateSearch: only("do"),
    component: lazyRouteComponent(() => import("../pages/cluster")),
  }),
  createRoute({
    ...under("/audit"),
    validateSearch: only("actor", "action", "object"),
    component: lazyRouteComponent(() => import("../pages/audit")),
  }),
  createRoute({
    ...under("/settings/users"),
    validateSearch: only("do", "user"),
    component: lazyRouteComponent(() => import("../pages/users")),
  }),
  createRoute({
    ...under("/settings/tokens"),
    validateSearch: only("do"),
    component: lazyRouteComponent(() => import("../pages/tokens")),
  }),
  createRoute({ ...under("/settings/appearance"), component: lazyRouteComponent(() => import("../pages/appearance")) }),
  createRoute({ ...under("/$"), component: Missing }),
] as const;

export const router = createRouter({
  routeTree: root.addChildren([login, shell.addChildren(pages)]),
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
