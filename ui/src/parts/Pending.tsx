import { plural } from "../lib/words";
import css from "./Pending.module.css";

/** "14 changes – show": what a live list holds back, so that nothing jumps under the pointer. */
export function Pending({ count, onShow }: { count: number; onShow: () => void }) {
  if (count === 0) return null;
  return (
    <button type="button" className={css.pending} onClick={onShow}>
      {plural(count, "change")} – show
    </button>
  );
}
