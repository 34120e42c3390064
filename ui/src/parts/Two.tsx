import type { ReactNode } from "react";
import css from "./DataTable.module.css";

/** The cell of a tall row: what it is, and under it what else is known. */
export function Two({ top, under, title }: { top: ReactNode; under?: ReactNode; title?: string }) {
  return (
    <span className={css.two} title={title}>
      <span>{top}</span>
      <span>{under || "\u00a0"}</span>
    </span>
  );
}
