import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { removePeer, transferLeader } from "../../data/admin";
import { keys } from "../../data/keys";
import type { Cluster } from "../../data/types";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { TextField } from "../../parts/Field";
import { notify } from "../../parts/notices";
import { Failed } from "../../parts/State";

interface Props {
  verb: "transfer" | "remove";
  peer: string;
  cluster: Cluster;
  why?: string;
  onClose: () => void;
}

/** Confirms a transfer of leadership, or a removal, which asks for the name and says what is left. */
export function PeerDialog({ verb, peer, cluster, why, onClose }: Props) {
  const [typed, setTyped] = useState("");
  const client = useQueryClient();
  const removing = verb === "remove";
  const run = useMutation({
    mutationFn: () => (removing ? removePeer(peer) : transferLeader()),
    onSuccess: () => {
      notify(removing ? `${peer} was removed.` : `${peer} has handed the leadership over.`);
      void client.invalidateQueries({ queryKey: keys.cluster });
      onClose();
    },
  });
  const off = why ?? (removing && typed !== peer ? "Type the controller’s name first." : undefined);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!off && !run.isPending) run.mutate();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={removing ? `Remove ${peer}` : "Hand over the leadership"}
      description={removing ? removal(cluster, peer) : `Of the other voters, the healthy one that is furthest on follows ${peer}. Writes pause for a moment; nothing is lost.`}
    >
      <form onSubmit={submit} style={{ display: "grid", gap: 14 }}>
        {removing ? (
          <TextField label={`Type ${peer} to confirm`} mono autoFocus value={typed} onChange={(e) => setTyped(e.target.value)} />
        ) : null}
        {run.error ? <Failed error={run.error} /> : null}
        <Actions>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind={removing ? "danger" : "primary"} type="submit" why={off} busy={run.isPending}>
            {removing ? "Remove the controller" : "Hand over"}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}

function removal(cluster: Cluster, name: string): string {
  const voter = cluster.peers.find((p) => p.name === name)?.role !== "non-voter";
  const voters = cluster.voters - (voter ? 1 : 0);
  const tolerates = Math.max(0, Math.floor((voters - 1) / 2));
  return `It cannot come back without joining anew. ${voters} voters remain: ${
    tolerates === 0 ? "the loss of one more stops every change" : `they tolerate ${tolerates}`
  }.`;
}
