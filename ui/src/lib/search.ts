// The search part of a URL: plain strings, so that /nodes?q=site=fra reads as it is typed and a digit stays text.

export function parseSearch(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

/** Empty and absent values are left out. "=" and ":" and "/" stay readable; they need no escape in a query. */
export function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    if (value !== undefined && value !== null && value !== "") params.set(key, String(value));
  }
  const out = params.toString().replaceAll("%3D", "=").replaceAll("%2F", "/").replaceAll("%3A", ":");
  return out ? `?${out}` : "";
}
