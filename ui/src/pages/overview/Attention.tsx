import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { clusterQuery } from "../../data/admin";
import { fleetQuery, pushList } from "../../data/fleet";
import type { Status } from "../../data/types";
import { plural } from "../../lib/words";
import { Glyph } from "../../parts/Glyph";
import { Section } from "../../parts/Page";
import css from "./Attention.module.css";

interface Matter {
  key: string;
  status: Status;
  text: ReactNode;
  why: string;
}

const failingShown = 5;

/** What needs a person, first and in one list; when nothing does, one line says so. */
export function Attention() {
  const cluster = useQuery(clusterQuery);
  const fleet = useQuery(fleetQuery({}));
  const failing = useInfiniteQuery(pushList({ state: "done_with_failures" }));
  const running = useInfiniteQuery(pushList({ state: "running" }));
  if (!cluster.data && !fleet.data) return null;

  const matters: Matter[] = [];
  if (cluster.data && !cluster.data.quorum) {
    matters.push({
      key: "quorum",
      status: "dead_letter",
      text: <Link to="/cluster">No quorum: nothing can be changed</Link>,
      why: "a majority of the voters must be up",
    });
  }
  for (const peer of cluster.data?.peers ?? []) {
    if (peer.alive) continue;
    matters.push({
      key: `peer ${peer.name}`,
      status: "offline",
      text: <Link to="/cluster">Controller {peer.name} is down</Link>,
      why: cluster.data?.quorum ? "the others carry on" : "it is missing for a majority",
    });
  }
  const counts = fleet.data?.counts;
  const byStatus: [Status, string, string][] = [
    ["dead_letter", "a dead letter", "waits for a person or a newer version"],
    ["reverted", "reverted", "went back to what it ran before"],
    ["retrying", "retrying", "failed and will be tried again"],
    ["offline", "offline", "gets what is wanted when it is back"],
  ];
  for (const [status, word, why] of byStatus) {
    const n = counts?.[status] ?? 0;
    if (n === 0) continue;
    matters.push({
      key: status,
      status,
      text: (
        <Link to="/nodes" search={{ q: `status=${status}` }}>
          {plural(n, "node")} {n === 1 ? "is" : "are"} {n === 1 || status !== "dead_letter" ? word : "dead letters"}
        </Link>
      ),
      why,
    });
  }
  // An old push that failed is history once no node suffers from it any more.
  const suffering = (counts?.dead_letter ?? 0) + (counts?.reverted ?? 0) > 0;
  for (const push of suffering ? [...(running.data ?? []), ...(failing.data ?? [])].slice(0, failingShown) : []) {
    const bad = (push.counts.dead_letter ?? 0) + (push.counts.reverted ?? 0);
    if (bad === 0) continue;
    matters.push({
      key: `push ${push.id}`,
      status: "dead_letter",
      text: (
        <Link to="/pushes/$id" params={{ id: push.id }} search={{ status: "dead_letter" }}>
          Push of revision {push.revision}: {plural(bad, "node")} failed
        </Link>
      ),
      why: push.message || push.documents.join(", "),
    });
  }
  const moving = (counts?.in_flight ?? 0) + (counts?.pending ?? 0);
  return (
    <Section title="Needs a person">
      {matters.length === 0 ? (
        <p className={css.fine}>
          <Glyph status={moving > 0 ? "in_flight" : "acked"} /> Nothing.{" "}
          {moving > 0 ? `${plural(moving, "node")} on the way to what is wanted.` : "Every node runs what is wanted, every controller is up."}
        </p>
      ) : (
        <ul className={css.list}>
          {matters.map((m) => (
            <li key={m.key}>
              <Glyph status={m.status} />
              <span>{m.text}</span>
              <span className={css.why}>{m.why}</span>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}
