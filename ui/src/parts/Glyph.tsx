import type { Status } from "../data/types";
import { statusWord } from "../lib/words";
import css from "./Glyph.module.css";

// Each status has a shape of its own; colour only repeats what the shape and the word say.
const paths: Record<Status, string> = {
  acked: "M2.5 6.6 5 9.1l4.5-5.6",
  in_flight: "M2 6h7.4M6.4 3l3.1 3-3.1 3",
  pending: "M6 1.6a4.4 4.4 0 1 0 0 8.8 4.4 4.4 0 0 0 0-8.8ZM6 3.6V6l1.7 1.1",
  retrying: "M10 6a4 4 0 1 1-1.2-2.9M10.1 1.4v2.4H7.7",
  reverted: "M2.6 2.6l6.8 6.8M9.4 2.6 2.6 9.4",
  dead_letter: "M4 1.3h4L10.7 4v4L8 10.7H4L1.3 8V4ZM6 3.6v3M6 8.2v.2",
  offline: "M6 1.6a4.4 4.4 0 1 0 0 8.8 4.4 4.4 0 0 0 0-8.8ZM2.9 9.1l6.2-6.2",
};

export function Glyph({ status }: { status: Status }) {
  return (
    <svg className={`${css.glyph} ${css[status]}`} viewBox="0 0 12 12" aria-hidden="true">
      <path d={paths[status]} />
    </svg>
  );
}

/** Shape, word and colour of a status. */
export function StatusMark({ status, word }: { status: Status; word?: string }) {
  return (
    <span className={css.mark} data-status={status}>
      <Glyph status={status} />
      {word ?? statusWord[status] ?? status}
    </span>
  );
}
