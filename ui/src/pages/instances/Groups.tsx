import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Group } from "../../lib/instances";
import { number } from "../../lib/words";
import css from "./Instances.module.css";

const named = 8;

interface Props<T> {
  groups: Group<T>[];
  act?: (group: Group<T>) => ReactNode;
}

/** Reasons in full, with the instances that share each. */
export function Groups<T extends { id: string }>({ groups, act }: Props<T>) {
  return (
    <ul className={css.groups}>
      {groups.map((group) => (
        <li key={group.code + group.words}>
          <span className={css.count}>{number(group.items.length)} ×</span>
          <span className={css.words}>{group.words}</span>
          <code className={css.place}>{group.code}</code>
          <span className={css.members}>
            {group.items.slice(0, named).map((r, i) => (
              <span key={r.id}>
                {i > 0 ? ", " : ""}
                <Link to="/nodes/$id" params={{ id: r.id }} className="mono">
                  {r.id}
                </Link>
              </span>
            ))}
            {group.items.length > named ? ` and ${number(group.items.length - named)} more` : ""}
          </span>
          {act?.(group)}
        </li>
      ))}
    </ul>
  );
}
