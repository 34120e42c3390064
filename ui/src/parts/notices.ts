// Short notices at the foot of the page, read out politely. One list for the whole tab.

export interface Notice {
  id: number;
  text: string;
  bad: boolean;
}

let next = 1;
let current: readonly Notice[] = [];
const listeners = new Set<() => void>();
const shownFor = 6_000;

function change(list: readonly Notice[]) {
  current = list;
  for (const listener of listeners) listener();
}

export function notify(text: string, bad = false) {
  const id = next++;
  change([...current.filter((n) => n.text !== text).slice(-2), { id, text, bad }]);
  // A failure stays until a person has put it away.
  if (!bad) setTimeout(() => dismiss(id), shownFor);
}

export function dismiss(id: number) {
  change(current.filter((n) => n.id !== id));
}

export const notices = {
  get: () => current,
  subscribe(listener: () => void) {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
};
