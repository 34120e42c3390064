import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { clusterQuery } from "../../data/admin";
import { deadLetterCauses } from "../../data/deadletters";
import { driftHeld, fleetQuery, pushList } from "../../data/fleet";
import { discoveryList, instanceList } from "../../data/instances";
import type { Fleet } from "../../data/types";
import { plural } from "../../lib/words";
import { Glyph } from "../../parts/Glyph";
import { Section } from "../../parts/Page";
import css from "./Attention.module.css";
import { type Matter, ofCluster, ofDeadLetters, ofDrift, ofFleet, ofInstances, ofPushes } from "./matters";

/** What needs a person, first and in one list; when nothing does, one line says so. */
export function Attention() {
  const cluster = useQuery(clusterQuery);
  const fleet = useQuery(fleetQuery({}));
  const causes = useQuery(deadLetterCauses());
  const silent = useInfiniteQuery(instanceList("connected=false"));
  const discoveries = useInfiniteQuery({ ...discoveryList(), refetchInterval: 15_000 });
  const held = useInfiniteQuery(driftHeld());
  const failing = useInfiniteQuery(pushList({ state: "done_with_failures" }));
  const running = useInfiniteQuery(pushList({ state: "running" }));
  if (!cluster.data && !fleet.data) return null;

  const letters = ofDeadLetters(causes.data);
  const offline = (silent.data ?? []).filter((r) => r.status === "offline").length;
  const suffering = letters.length > 0 || (fleet.data?.counts.reverted ?? 0) > 0;
  const matters: Matter[] = [
    ...ofCluster(cluster.data),
    ...letters,
    ...ofInstances(silent.data, discoveries.data),
    ...ofDrift(held.data),
    ...ofFleet(fleet.data, offline),
    ...ofPushes([...(running.data ?? []), ...(failing.data ?? [])], suffering),
  ];
  return (
    <Section title="Needs a person">
      {matters.length === 0 ? (
        <Nothing fleet={fleet.data} />
      ) : (
        <ul className={css.list}>
          {matters.map((m) => (
            <li key={m.key}>
              <Glyph status={m.status} />
              <span className={css.text}>{m.text}</span>
              <span className={css.why}>{m.why}</span>
            </li>
          ))}
        </ul>
      )}
    </Section>
  );
}

function Nothing({ fleet }: { fleet?: Fleet }) {
  const counts = fleet?.counts;
  const moving = (counts?.in_flight ?? 0) + (counts?.pending ?? 0);
  // Discarded dead letters: they stay behind, and somebody has said that this is all right.
  const left = counts?.dead_letter ?? 0;
  const words =
    moving > 0
      ? `${plural(moving, "node")} on the way to what is wanted.`
      : left > 0
        ? `${plural(left, "node")} of discarded dead letters ${left === 1 ? "waits" : "wait"} for something newer.`
        : "Every node runs what is wanted, every controller is up.";
  return (
    <p className={css.fine}>
      <Glyph status={moving > 0 ? "in_flight" : "acked"} /> Nothing. {words}
    </p>
  );
}
