// Labels as people type them: "site=fra role=edge", parted by spaces or commas.

const keyPattern = /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const valuePattern = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;

export function parseLabels(text: string): { labels: Record<string, string>; problem?: string } {
  const labels: Record<string, string> = {};
  for (const part of text.split(/[\s,]+/)) {
    if (!part) continue;
    const equals = part.indexOf("=");
    if (equals < 1) return { labels, problem: `“${part}” is not key=value.` };
    const key = part.slice(0, equals);
    const value = part.slice(equals + 1);
    if (!keyPattern.test(key)) return { labels, problem: `“${key}” cannot be a label’s key.` };
    if (!valuePattern.test(value)) return { labels, problem: `“${value}” cannot be a label’s value.` };
    if (key in labels) return { labels, problem: `“${key}” stands twice.` };
    labels[key] = value;
  }
  return { labels };
}

export function formatLabels(labels: Record<string, string> | undefined): string {
  return Object.keys(labels ?? {})
    .sort()
    .map((key) => `${key}=${labels![key]}`)
    .join(" ");
}

/** What to send so that `before` becomes `after`: new values, and null for what goes. */
export function labelChanges(
  before: Record<string, string> | undefined,
  after: Record<string, string>,
): Record<string, string | null> {
  const changes: Record<string, string | null> = {};
  for (const key of Object.keys(before ?? {})) {
    if (!(key in after)) changes[key] = null;
  }
  for (const [key, value] of Object.entries(after)) {
    if (before?.[key] !== value) changes[key] = value;
  }
  return changes;
}
