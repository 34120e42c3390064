// The query of the node list: free words and key=value terms, as the API takes them ("site=fra status=offline edge").

export interface Term {
  key: string;
  value: string;
}

export interface NodeQuery {
  terms: Term[];
  words: string[];
}

export function parseQuery(text: string): NodeQuery {
  const query: NodeQuery = { terms: [], words: [] };
  for (const part of text.split(/\s+/)) {
    if (!part) continue;
    const equals = part.indexOf("=");
    if (equals > 0 && equals < part.length - 1) {
      query.terms.push({ key: part.slice(0, equals), value: part.slice(equals + 1) });
    } else {
      query.words.push(part);
    }
  }
  return query;
}

export function formatQuery(query: NodeQuery): string {
  return [...query.terms.map((t) => `${t.key}=${t.value}`), ...query.words].join(" ");
}

/** The value of a term, undefined when there is none. */
export function termOf(text: string, key: string): string | undefined {
  return parseQuery(text).terms.find((t) => t.key === key)?.value;
}

/** The query with one term set; the same value again, or undefined, takes it out. */
export function withTerm(text: string, key: string, value: string | undefined): string {
  const query = parseQuery(text);
  const had = query.terms.some((t) => t.key === key && t.value === value);
  const terms = query.terms.filter((t) => t.key !== key);
  if (value !== undefined && !had) terms.push({ key, value });
  return formatQuery({ terms, words: query.words });
}

/** Whether the list's membership moves with the status of its nodes. */
export function followsStatus(text: string): boolean {
  return parseQuery(text).terms.some((t) => ["status", "in_sync", "peer", "connected"].includes(t.key));
}
