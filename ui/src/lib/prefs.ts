// What a person prefers on this machine: theme and time zone. Kept in localStorage; the view itself is in the URL.

export type Theme = "system" | "light" | "dark";
export interface Prefs {
  theme: Theme;
  utc: boolean;
}

const listeners = new Set<() => void>();
let current: Prefs = read();

function read(): Prefs {
  const theme = load("drover.theme");
  return { theme: theme === "light" || theme === "dark" ? theme : "system", utc: load("drover.utc") === "1" };
}

/** A value kept by this browser; null when there is none or storage is off. */
export function load(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Keeps a value, or takes it away with null; false when the browser refused (private mode, quota). */
export function store(key: string, value: string | null): boolean {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
    return true;
  } catch {
    return false;
  }
}

export const prefs = {
  get: () => current,
  subscribe(listener: () => void) {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
  set(change: Partial<Prefs>) {
    current = { ...current, ...change };
    store("drover.theme", current.theme === "system" ? null : current.theme);
    store("drover.utc", current.utc ? "1" : null);
    if (current.theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = current.theme;
    for (const listener of listeners) listener();
  },
};
