// JSON as text. The server keeps the text of a document (1 and 1.0 differ to some services, key order matters to
// people), so the interface never sends a document through JSON.parse and back. One small parser gives a tree of
// positions; formatting, pointers and picking a member out of an answer all follow from it.

export interface JsonNode {
  kind: "object" | "array" | "string" | "number" | "literal";
  from: number;
  to: number;
  members?: { key: string; keyFrom: number; keyTo: number; value: JsonNode }[];
  items?: JsonNode[];
}

/** A syntax error with its place (offset into the text). */
export class JsonSyntaxError extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// Everything but a quote, a backslash and control characters; or an escape.
const stringPattern = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const spacePattern = /[ \t\n\r]*/y;
const maxDepth = 512;

/** Parses one JSON text and refuses duplicate keys, as the server does. */
export function parseTree(text: string): JsonNode {
  let at = 0;

  const space = () => {
    spacePattern.lastIndex = at;
    spacePattern.exec(text);
    at = spacePattern.lastIndex;
  };
  const fail = (what: string, offset = at): never => {
    throw new JsonSyntaxError(what, offset);
  };
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    if (!pattern.test(text)) return false;
    at = pattern.lastIndex;
    return true;
  };
  const expected = (what: string) => (at >= text.length ? `the text ends where ${what} is expected` : `expected ${what}`);

  const value = (depth: number): JsonNode => {
    if (depth > maxDepth) fail("nested too deeply");
    space();
    const from = at;
    const char = text[at];
    if (char === "{") return object(depth);
    if (char === "[") return array(depth);
    if (char === '"') {
      if (!take(stringPattern)) fail("this string is not closed, or holds a character that must be escaped", from);
      return { kind: "string", from, to: at };
    }
    for (const word of ["true", "false", "null"]) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return { kind: "literal", from, to: at };
      }
    }
    if (take(numberPattern)) return { kind: "number", from, to: at };
    return fail(expected("a value"));
  };

  const object = (depth: number): JsonNode => {
    const node: JsonNode = { kind: "object", from: at, to: at, members: [] };
    const seen = new Set<string>();
    at++;
    space();
    if (text[at] === "}") return { ...node, to: ++at };
    for (;;) {
      space();
      const keyFrom = at;
      if (text[at] !== '"' || !take(stringPattern)) fail(expected("a key in double quotes"), keyFrom);
      const keyTo = at;
      const key = JSON.parse(text.slice(keyFrom, keyTo)) as string;
      if (seen.has(key)) fail(`the key “${key}” stands twice in this object`, keyFrom);
      seen.add(key);
      space();
      if (text[at] !== ":") fail(expected("a colon"));
      at++;
      node.members!.push({ key, keyFrom, keyTo, value: value(depth + 1) });
      space();
      if (text[at] === "}") return { ...node, to: ++at };
      if (text[at] !== ",") fail(expected("a comma or }"));
      at++;
    }
  };

  const array = (depth: number): JsonNode => {
    const node: JsonNode = { kind: "array", from: at, to: at, items: [] };
    at++;
    space();
    if (text[at] === "]") return { ...node, to: ++at };
    for (;;) {
      node.items!.push(value(depth + 1));
      space();
      if (text[at] === "]") return { ...node, to: ++at };
      if (text[at] !== ",") fail(expected("a comma or ]"));
      at++;
    }
  };

  const root = value(0);
  space();
  if (at < text.length) fail("something follows the end of the document");
  return root;
}

/** The member of an object, undefined when there is none. */
export function member(node: JsonNode | undefined, key: string): JsonNode | undefined {
  return node?.members?.find((m) => m.key === key)?.value;
}

/** The text of a node. */
export function source(text: string, node: JsonNode): string {
  return text.slice(node.from, node.to);
}

/** Pretty-prints without touching a literal: two spaces, empty and short containers of plain values on one line. */
export function format(text: string, node: JsonNode = parseTree(text)): string {
  const write = (n: JsonNode, indent: string): string => {
    if (n.kind !== "object" && n.kind !== "array") return source(text, n);
    const inner = indent + "  ";
    if (n.kind === "array") {
      const items = n.items!;
      if (items.length === 0) return "[]";
      const plain = items.every((i) => i.kind !== "object" && i.kind !== "array");
      const flat = plain ? `[${items.map((i) => source(text, i)).join(", ")}]` : "";
      if (plain && flat.length + indent.length <= 80) return flat;
      return `[\n${items.map((i) => inner + write(i, inner)).join(",\n")}\n${indent}]`;
    }
    const members = n.members!;
    if (members.length === 0) return "{}";
    const lines = members.map((m) => `${inner}${text.slice(m.keyFrom, m.keyTo)}: ${write(m.value, inner)}`);
    return `{\n${lines.join(",\n")}\n${indent}}`;
  };
  return write(node, "");
}

/** The tokens of a JSON Pointer (RFC 6901); the empty pointer has none. */
export function pointerTokens(pointer: string): string[] {
  const clean = pointer.startsWith("#") ? decodeURIComponent(pointer.slice(1)) : pointer;
  if (clean === "" || clean === "/") return clean === "/" ? [""] : [];
  return clean
    .replace(/^\//, "")
    .split("/")
    .map((t) => t.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/**
 * Where a JSON Pointer points to in a text. A member is marked from its key. When the pointer leads nowhere (a
 * required member that is missing), the nearest parent that exists is meant, marked by its key or its first character.
 */
export function locate(root: JsonNode, pointer: string): { from: number; to: number; exact: boolean } {
  let node = root;
  let from = root.from;
  let to = root.to;
  let keyTo: number | undefined;
  const tokens = pointerTokens(pointer);
  for (const token of tokens) {
    const found = node.members?.find((m) => m.key === token);
    if (found) {
      node = found.value;
      from = found.keyFrom;
      to = node.to;
      keyTo = found.keyTo;
      continue;
    }
    const item = /^(0|[1-9]\d*)$/.test(token) ? node.items?.[Number(token)] : undefined;
    if (!item) return { from, to: keyTo ?? Math.min(from + 1, to), exact: false };
    node = item;
    from = item.from;
    to = item.to;
    keyTo = undefined;
  }
  // A whole container would paint half the editor red: its key or opening bracket is enough.
  if (node.kind === "object" || node.kind === "array") return { from, to: keyTo ?? from + 1, exact: true };
  return { from, to, exact: true };
}
