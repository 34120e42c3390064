import type { Column } from "./DataTable";
import css from "./Field.module.css";
import type { Selection } from "./selection";

/** The first column of a table whose rows can be chosen; its head chooses all that are shown. */
export function selectColumn<T>(selection: Selection, shown: readonly T[], idOf: (row: T) => string): Column<T> {
  const ids = [...new Set(shown.map(idOf))];
  const count = ids.filter((id) => selection.ids.has(id)).length;
  return {
    head: "Chosen",
    headCell: (
      <label className={css.tick}>
        <input
          type="checkbox"
          aria-label="Choose all that are shown"
          checked={count > 0 && count === ids.length}
          ref={(box) => {
            if (box) box.indeterminate = count > 0 && count < ids.length;
          }}
          onChange={() => selection.toggleAll(ids)}
        />
      </label>
    ),
    width: "24px",
    phone: true,
    cell: (row) => (
      <label className={css.tick}>
        <input
          type="checkbox"
          aria-label={`Choose ${idOf(row)}`}
          checked={selection.ids.has(idOf(row))}
          onChange={() => selection.toggle(idOf(row))}
        />
      </label>
    ),
  };
}
