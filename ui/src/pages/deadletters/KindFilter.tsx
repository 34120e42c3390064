import { useNavigate } from "@tanstack/react-router";
import css from "./DeadLetters.module.css";

export function KindFilter({ current = "" }: { current?: string }) {
  const navigate = useNavigate({ from: "/deadletters" });
  return (
    <label className={css.kind}>
      Kind
      <select
        value={current}
        onChange={(e) => void navigate({ search: (s) => ({ ...s, kind: e.target.value || undefined }), replace: true })}
      >
        <option value="">both</option>
        <option value="agent">agents</option>
        <option value="instance">instances</option>
      </select>
    </label>
  );
}
