import type { Problem } from "../../data/types";
import css from "./Document.module.css";

export function Problems({ problems }: { problems: Problem[] }) {
  if (problems.length === 0) return null;
  return (
    <ul className={css.problems} aria-label="Problems">
      {problems.map((p) => (
        <li key={p.pointer + p.message}>
          <code>{p.pointer || "/"}</code>
          <span>{p.message}</span>
        </li>
      ))}
    </ul>
  );
}
