import { useSyncExternalStore } from "react";
import css from "./Notices.module.css";
import { dismiss, notices } from "./notices";

export function Notices() {
  const list = useSyncExternalStore(notices.subscribe, notices.get);
  return (
    <div className={css.list} role="status" aria-live="polite">
      {list.map((n) => (
        <div key={n.id} className={`${css.notice} ${n.bad ? css.bad : ""}`}>
          <span>{n.text}</span>
          <button type="button" onClick={() => dismiss(n.id)} aria-label="Put away">
            ×
          </button>
        </div>
      ))}
    </div>
  );
}
