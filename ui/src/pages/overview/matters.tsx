import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { Cause, Cluster, Discovery, Fleet, InstanceRow, NodeRow, PushRow, Status } from "../../data/types";
import { groupBy, silence } from "../../lib/instances";
import { place, plural } from "../../lib/words";

/** One thing that a person should look at. */
export interface Matter {
  key: string;
  status: Status;
  text: ReactNode;
  why: string;
}

const shown = 5;

export function ofCluster(cluster: Cluster | undefined): Matter[] {
  if (!cluster) return [];
  const out: Matter[] = cluster.quorum
    ? []
    : [
        {
          key: "quorum",
          status: "dead_letter",
          text: <Link to="/cluster">No quorum: nothing can be changed</Link>,
          why: "a majority of the voters must be up",
        },
      ];
  for (const peer of cluster.peers) {
    if (peer.alive) continue;
    out.push({
      key: `peer ${peer.name}`,
      status: "offline",
      text: <Link to="/cluster">Controller {peer.name} is down</Link>,
      why: cluster.quorum ? "the others carry on" : "it is missing for a majority",
    });
  }
  return out;
}

/** Dead letters by cause: the cause is what a person can do something about. */
export function ofDeadLetters(causes: Cause[] | undefined): Matter[] {
  const all = causes ?? [];
  const out: Matter[] = all.slice(0, shown).map((c) => ({
    key: `cause ${c.cause}`,
    status: "dead_letter",
    text: (
      <Link to="/deadletters" search={{ cause: c.cause }}>
        {plural(c.count, "dead letter")}: {c.message || c.code}
      </Link>
    ),
    why: place(c),
  }));
  const rest = all.slice(shown);
  if (rest.length > 0) {
    const count = rest.reduce((sum, c) => sum + c.count, 0);
    out.push({
      key: "causes",
      status: "dead_letter",
      text: <Link to="/deadletters">{plural(count, "dead letter")} more</Link>,
      why: plural(rest.length, "other cause"),
    });
  }
  return out;
}

/** Instances that do not answer, and why; discoveries that fail. */
export function ofInstances(silent: InstanceRow[] | undefined, discoveries: Discovery[] | undefined): Matter[] {
  const out: Matter[] = [];
  for (const group of groupBy(silent ?? [], silence).slice(0, shown)) {
    out.push({
      key: `silent ${group.code} ${group.words}`,
      status: "offline",
      text: (
        <Link to="/instances" search={{ q: "connected=false" }}>
          {plural(group.items.length, "instance does", "instances do")} not answer: {group.words}
        </Link>
      ),
      why: group.items
        .slice(0, shown)
        .map((r) => r.id)
        .join(", "),
    });
  }
  for (const d of discoveries ?? []) {
    if (!d.error) continue;
    out.push({
      key: `discovery ${d.id}`,
      status: "dead_letter",
      text: (
        <Link to="/instances" search={{ tab: "discoveries" }}>
          Discovery {d.id} fails
        </Link>
      ),
      why: d.error,
    });
  }
  return out;
}

/** Drift that is left as it is until a person has seen it. */
export function ofDrift(held: NodeRow[] | undefined): Matter[] {
  if (!held || held.length === 0) return [];
  return [
    {
      key: "drift",
      status: "pending",
      text: (
        <Link to="/nodes" search={{ q: "drift=held" }}>
          {plural(held.length, "node was", "nodes were")} changed by somebody else, and {held.length === 1 ? "is" : "are"} left so
        </Link>
      ),
      why: held
        .slice(0, shown)
        .map((n) => n.id)
        .join(", "),
    },
  ];
}

/** Nodes by status, those aside that another line speaks of. */
export function ofFleet(fleet: Fleet | undefined, silentInstances: number): Matter[] {
  const counts = fleet?.counts;
  const offline = Math.max(0, (counts?.offline ?? 0) - silentInstances);
  const lines: [Status, number, string, string, string][] = [
    ["reverted", counts?.reverted ?? 0, "status=reverted", "reverted", "went back to what it ran before"],
    ["retrying", counts?.retrying ?? 0, "status=retrying", "retrying", "failed and will be tried again"],
    ["offline", offline, silentInstances > 0 ? "status=offline kind=agent" : "status=offline", "offline", "gets what is wanted when it is back"],
  ];
  return lines.flatMap(([status, n, q, word, why]) =>
    n === 0
      ? []
      : [
          {
            key: status,
            status,
            text: (
              <Link to="/nodes" search={{ q }}>
                {plural(n, "node")} {n === 1 ? "is" : "are"} {word}
              </Link>
            ),
            why,
          },
        ],
  );
}

/** Pushes that failed, while somebody waits for a person because of one. */
export function ofPushes(pushes: PushRow[], suffering: boolean): Matter[] {
  return (suffering ? pushes.slice(0, shown) : []).flatMap((push) => {
    const bad = (push.counts.dead_letter ?? 0) + (push.counts.reverted ?? 0);
    if (bad === 0) return [];
    return [
      {
        key: `push ${push.id}`,
        status: "dead_letter" as const,
        text: (
          <Link to="/pushes/$id" params={{ id: push.id }} search={{ status: "dead_letter" }}>
            Push of revision {push.revision}: {plural(bad, "node")} failed
          </Link>
        ),
        why: push.message || push.documents.join(", "),
      },
    ];
  });
}
