import { Menu } from "@base-ui/react/menu";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useSyncExternalStore } from "react";
import { logout } from "../data/session";
import type { Me } from "../data/types";
import { prefs, type Theme } from "../lib/prefs";
import { notify } from "../parts/notices";
import { useLive } from "./live";
import css from "./TopBar.module.css";

/** Who is logged in; theme, time zone, and the way out. */
export default function UserMenu({ me }: { me: Me }) {
  const { theme, utc } = useSyncExternalStore(prefs.subscribe, prefs.get);
  const client = useQueryClient();
  const navigate = useNavigate();
  const live = useLive();
  const leave = async () => {
    // The stream would end with the session, and try to come back.
    live.stop();
    try {
      await logout();
    } catch (error) {
      live.start();
      notify(`Not logged out: ${(error as Error).message}`, true);
      return;
    }
    await navigate({ to: "/login" });
    client.clear();
  };
  return (
    <Menu.Root>
      <Menu.Trigger className={css.user} aria-label={`${me.user}, ${me.role}: menu`}>
        {me.user}
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner align="end" sideOffset={4} className={css.positioner}>
          <Menu.Popup className={css.popup}>
            <p className={css.who}>
              {me.user} · {me.role}
            </p>
            <Menu.RadioGroup
              value={theme}
              onValueChange={(value: Theme) => prefs.set({ theme: value })}
              className={css.group}
              aria-label="Theme"
            >
              {(["system", "light", "dark"] as const).map((t) => (
                <Menu.RadioItem key={t} value={t} className={css.item} closeOnClick={false}>
                  <span className={css.tick}>
                    <Menu.RadioItemIndicator>✓</Menu.RadioItemIndicator>
                  </span>
                  {t === "system" ? "Theme of the system" : `${t === "light" ? "Light" : "Dark"} theme`}
                </Menu.RadioItem>
              ))}
            </Menu.RadioGroup>
            <Menu.CheckboxItem
              checked={utc}
              onCheckedChange={(on) => prefs.set({ utc: on })}
              className={css.item}
              closeOnClick={false}
            >
              <span className={css.tick}>
                <Menu.CheckboxItemIndicator>✓</Menu.CheckboxItemIndicator>
              </span>
              Times in UTC
            </Menu.CheckboxItem>
            <Menu.Separator className={css.separator} />
            <Menu.Item className={css.item} onClick={() => void leave()}>
              <span className={css.tick} />
              Log out
            </Menu.Item>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
