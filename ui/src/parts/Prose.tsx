import { sentence } from "../lib/words";

/** A sentence of the API, with what stands in `backquotes` as code. */
export function Prose({ text }: { text: string }) {
  return sentence(text)
    .split("`")
    .map((part, i) => (i % 2 === 1 ? <code key={`${i}`}>{part}</code> : part));
}
