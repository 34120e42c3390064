// Times for people: relative in the text, absolute on hover.

const steps: [limit: number, unit: Intl.RelativeTimeFormatUnit, size: number][] = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86_400, "hour", 3600],
  [86_400 * 30, "day", 86_400],
  [86_400 * 365, "month", 86_400 * 30],
  [Number.POSITIVE_INFINITY, "year", 86_400 * 365],
];
const words = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "narrow" });

/** "12s ago", "in 3h", "just now" within five seconds. */
export function relative(at: number, now: number): string {
  const seconds = (at - now) / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return "just now";
  for (const [limit, unit, unitSize] of steps) {
    if (size < limit) return words.format(Math.trunc(seconds / unitSize), unit);
  }
  return "";
}

const two = (n: number) => String(n).padStart(2, "0");

/** "2025-11-21 18:35:04 UTC", or local time with its offset. */
export function absolute(at: number, utc: boolean): string {
  const d = new Date(at);
  if (Number.isNaN(d.getTime())) return "";
  if (utc) return `${d.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  const offset = -d.getTimezoneOffset();
  const sign = offset < 0 ? "−" : "+";
  const zone = `UTC${sign}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return (
    `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ` +
    `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())} ${zone}`
  );
}

/** "850 ms", "12.4 s", "3 min 20 s", "2 h 5 min". */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** When a relative time next changes its text, in milliseconds. */
export function nextTick(at: number, now: number): number {
  const age = Math.abs(now - at);
  if (age < 60_000) return 1_000;
  return age < 3_600_000 ? 15_000 : 60_000;
}
