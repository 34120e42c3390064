import { useSyncExternalStore } from "react";
import { prefs, type Theme } from "../../lib/prefs";
import { absolute } from "../../lib/time";
import { Page, Section } from "../../parts/Page";
import { statuses } from "../../data/types";
import { StatusMark } from "../../parts/Glyph";
import css from "./Appearance.module.css";

const themes: { value: Theme; label: string }[] = [
  { value: "system", label: "As the system" },
  { value: "light", label: "Light: warm paper" },
  { value: "dark", label: "Dark: pine" },
];

export default function Appearance() {
  const { theme, utc } = useSyncExternalStore(prefs.subscribe, prefs.get);
  const now = Date.now();
  return (
    <Page title="Appearance" aside="Kept in this browser">
      <fieldset className={css.group}>
        <legend>Theme</legend>
        {themes.map((t) => (
          <label key={t.value}>
            <input type="radio" name="theme" checked={theme === t.value} onChange={() => prefs.set({ theme: t.value })} />
            {t.label}
          </label>
        ))}
      </fieldset>
      <fieldset className={css.group}>
        <legend>Times</legend>
        <label>
          <input type="radio" name="zone" checked={!utc} onChange={() => prefs.set({ utc: false })} />
          Local: {absolute(now, false)}
        </label>
        <label>
          <input type="radio" name="zone" checked={utc} onChange={() => prefs.set({ utc: true })} />
          UTC: {absolute(now, true)}
        </label>
      </fieldset>
      <Section title="Status">
        <ul className={css.legend}>
          {statuses.map((s) => (
            <li key={s}>
              <StatusMark status={s} />
            </li>
          ))}
        </ul>
      </Section>
    </Page>
  );
}
