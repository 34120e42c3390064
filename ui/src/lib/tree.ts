// Document names as a tree: "routing/core" lies in the folder "routing".

export interface TreeItem<T> {
  /** The last segment of the name. */
  label: string;
  /** The whole name, of a folder with no trailing slash. */
  path: string;
  depth: number;
  row?: T;
}

/** Folders and documents in reading order, each folder before what it holds. */
export function buildTree<T>(rows: readonly T[], nameOf: (row: T) => string): TreeItem<T>[] {
  const sorted = [...rows].sort((a, b) => compareNames(nameOf(a), nameOf(b)));
  const items: TreeItem<T>[] = [];
  let open: string[] = [];
  for (const row of sorted) {
    const segments = nameOf(row).split("/");
    const folders = segments.slice(0, -1);
    let shared = 0;
    while (shared < folders.length && open[shared] === folders[shared]) shared++;
    for (let depth = shared; depth < folders.length; depth++) {
      items.push({ label: folders[depth]!, path: folders.slice(0, depth + 1).join("/"), depth });
    }
    open = folders;
    items.push({ label: segments.at(-1)!, path: segments.join("/"), depth: folders.length, row });
  }
  return items;
}

// Segment by segment, so that "a/b" never parts "a" from its neighbours; documents of a folder before its sub-folders.
function compareNames(a: string, b: string): number {
  const left = a.split("/");
  const right = b.split("/");
  for (let i = 0; ; i++) {
    const lastLeft = i === left.length - 1;
    const lastRight = i === right.length - 1;
    if (lastLeft !== lastRight && left[i] !== undefined && right[i] !== undefined) return lastLeft ? -1 : 1;
    if (left[i] === undefined || right[i] === undefined) return left.length - right.length;
    if (left[i]! < right[i]!) return -1;
    if (left[i]! > right[i]!) return 1;
  }
}

const segment = /^[a-z0-9][a-z0-9._-]*$/;

/** What is wrong with a document's or target's name; undefined when nothing is. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "A name is needed, such as routing/core.";
  if (new TextEncoder().encode(name).length > 200) return "At most 200 bytes.";
  const segments = name.split("/");
  if (segments.length > 8) return "At most 8 segments.";
  for (const s of segments) {
    if (s === "") return "A segment is empty: no slash at the start, at the end or twice in a row.";
    if (!segment.test(s)) return `“${s}”: only a–z, 0–9, dot, dash and underscore, beginning with a letter or digit.`;
    if (s.endsWith(".json")) return "No segment ends in .json.";
  }
  return undefined;
}
