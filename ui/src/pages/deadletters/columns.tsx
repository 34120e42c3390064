import { Link } from "@tanstack/react-router";
import type { DeadLetter } from "../../data/types";
import { place, plural } from "../../lib/words";
import type { Column } from "../../parts/DataTable";
import { StatusMark } from "../../parts/Glyph";
import { Time } from "../../parts/Time";
import { Two } from "../../parts/Two";
import css from "./DeadLetters.module.css";

export const columns: Column<DeadLetter>[] = [
  {
    head: "Node",
    width: "minmax(130px,1fr)",
    phone: "minmax(0,1fr)",
    cell: (r) => (
      <Two
        top={
          <Link to="/nodes/$id" params={{ id: r.node }} className="mono">
            {r.node}
          </Link>
        }
        under={
          <>
            <span className={css.phone}>{r.cause.message || r.cause.code}</span>
            <span className={css.desk}>
              {r.kind}, {r.connected ? "connected" : "not connected"}
            </span>
          </>
        }
      />
    ),
  },
  {
    head: "Status",
    width: "112px",
    phone: "108px",
    cell: (r) => <Two top={<StatusMark status={r.status} />} under={r.attempts ? plural(r.attempts, "try", "tries") : "refused"} />,
  },
  {
    head: "Cause",
    width: "minmax(0,3fr)",
    cell: (r) => (
      <Two
        top={r.cause.message || r.cause.code}
        under={
          <>
            <code>{r.cause.code}</code> {place(r.cause)}
          </>
        }
        title={[r.cause.message, place(r.cause), r.cause.log_tail].filter(Boolean).join("\n")}
      />
    ),
  },
  {
    head: "Keeps its old version of",
    width: "minmax(0,1.5fr)",
    cell: (r) => (
      <Two
        top={r.documents.map((name, i) => (
          <span key={name}>
            {i > 0 ? ", " : ""}
            <Link to="/documents/$name" params={{ name }} className="mono">
              {name}
            </Link>
          </span>
        ))}
        under={r.documents.length === 0 ? "nothing was accepted before" : null}
      />
    ),
  },
  {
    head: "Push",
    width: "72px",
    end: true,
    cell: (r) =>
      r.revision ? (
        <Link to="/pushes/$id" params={{ id: String(r.revision) }} search={{ status: "dead_letter" }} className="mono">
          {r.revision}
        </Link>
      ) : (
        "–"
      ),
  },
  { head: "Since", width: "80px", end: true, cell: (r) => <Time at={r.since} /> },
];
