import { useQuery } from "@tanstack/react-query";
import { Outlet } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";
import { meQuery } from "../data/session";
import { Notices } from "../parts/Notices";
import { Failed, Skeleton } from "../parts/State";
import { useLive } from "./live";
import { Nav } from "./Nav";
import css from "./Shell.module.css";
import { TopBar } from "./TopBar";

const loadPalette = () => import("./Palette");
const Palette = lazy(loadPalette);

export function Shell() {
  const me = useQuery(meQuery);
  const live = useLive();
  const [palette, setPalette] = useState(false);
  const [nav, setNav] = useState(false);
  const user = me.data?.user;

  useEffect(() => {
    if (!user) return;
    live.start();
    return () => live.stop();
  }, [live, user]);

  // Fetched when there is nothing else to do, so that ⌘K opens at once and loses no key.
  useEffect(() => {
    const timer = setTimeout(() => void loadPalette().catch(() => undefined), 1500);
    return () => clearTimeout(timer);
  }, []);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!(event.metaKey || event.ctrlKey) || event.key.toLowerCase() !== "k") return;
      event.preventDefault();
      setPalette((open) => !open);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);

  if (!me.data) {
    return (
      <main className={css.bare}>
        {me.error ? <Failed error={me.error} retry={me.refetch} busy={me.isFetching} /> : <Skeleton rows={4} />}
      </main>
    );
  }
  return (
    <div className={css.shell}>
      <a className={css.skip} href="#main">
        Skip to the page
      </a>
      <TopBar me={me.data} onPalette={() => setPalette(true)} onNav={() => setNav(!nav)} navOpen={nav} />
      <Nav open={nav} onGo={() => setNav(false)} />
      <main id="main" className={css.main} tabIndex={-1}>
        <Outlet />
      </main>
      <Notices />
      {palette ? (
        <Suspense fallback={null}>
          <Palette onClose={() => setPalette(false)} />
        </Suspense>
      ) : null}
    </div>
  );
}
