import type { PushRow, Status } from "../data/types";
import { number, stateWord } from "../lib/words";
import { StatusMark } from "./Glyph";
import css from "./PushState.module.css";

const shapes: Record<PushRow["state"], Status> = {
  scheduled: "pending",
  running: "in_flight",
  paused: "pending",
  done: "acked",
  done_with_failures: "dead_letter",
  aborted: "reverted",
  superseded: "offline",
};

export function PushState({ push }: { push: Pick<PushRow, "state"> }) {
  return <StatusMark status={shapes[push.state]} word={stateWord[push.state]} />;
}

/** How much of a push has landed, as a rule that fills and the two numbers. */
export function Progress({ push }: { push: Pick<PushRow, "counts" | "total"> }) {
  const acked = push.counts.acked ?? 0;
  const share = push.total === 0 ? 1 : acked / push.total;
  return (
    <span className={css.progress}>
      <span className={css.track} aria-hidden="true">
        <span className={css.fill} style={{ width: `${share * 100}%` }} />
      </span>
      <span>
        {number(acked)} of {number(push.total)}
      </span>
    </span>
  );
}
