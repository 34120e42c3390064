import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { clusterToken } from "../../data/admin";
import type { Cluster } from "../../data/types";
import { Button } from "../../parts/Button";
import { Copy } from "../../parts/Copy";
import { Actions, Dialog } from "../../parts/Dialog";
import { StatusMark } from "../../parts/Glyph";
import { Failed } from "../../parts/State";
import { Time } from "../../parts/Time";

/** Token and one command; the page behind refreshes every second, so the newcomer is seen as it comes. */
export function AddDialog({ cluster, why, onClose }: { cluster: Cluster; why?: string; onClose: () => void }) {
  const [before] = useState(() => new Set(cluster.peers.map((p) => p.name)));
  const make = useMutation({ mutationFn: clusterToken });
  const arrived = cluster.peers.filter((p) => !before.has(p.name));
  if (!make.data) {
    return (
      <Dialog
        open
        onClose={onClose}
        title="Add a controller"
        description="Makes a token for one join. It carries the hash of the cluster’s CA, so that the new controller knows whom it talks to. With three voters one may fail, with five two."
      >
        {make.error ? <Failed error={make.error} /> : null}
        <Actions>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" why={why} busy={make.isPending} onClick={() => make.mutate()}>
            Make a token
          </Button>
        </Actions>
      </Dialog>
    );
  }
  return (
    <Dialog open onClose={onClose} wide title="Add a controller" description="Shown once. Run this on the new machine:">
      <Copy label="Command" text={make.data.command || make.data.token} />
      {make.data.command ? <Copy label="Token" text={make.data.token} /> : null}
      {make.data.expires ? (
        <p>
          The token expires <Time at={make.data.expires} />.
        </p>
      ) : null}
      <div role="status">
        {arrived.length === 0 ? (
          <StatusMark status="pending" word="Waiting for it to join" />
        ) : (
          arrived.map((p) => (
            <p key={p.name}>
              <StatusMark
                status={p.role === "non-voter" ? "in_flight" : "acked"}
                word={p.role === "non-voter" ? `${p.name} joined and catches up (${p.lag ?? 0} behind)` : `${p.name} is a voter`}
              />
            </p>
          ))
        )}
      </div>
      <Actions>
        <Button kind="primary" onClick={onClose}>
          Done
        </Button>
      </Actions>
    </Dialog>
  );
}
