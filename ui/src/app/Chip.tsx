import { Glyph } from "../parts/Glyph";
import css from "./Chip.module.css";
import { useConnection } from "./live";

const shapes = { live: "acked", reconnecting: "retrying", stale: "pending", "no-leader": "dead_letter" } as const;

/** Whether what is on the screen is true now. */
export function Chip() {
  const { kind, words, title } = useConnection();
  return (
    <span className={css.chip} title={title} data-connection={kind} role="status">
      <Glyph status={shapes[kind]} />
      {words}
    </span>
  );
}
