import { useMutation, useQueryClient } from "@tanstack/react-query";
import { removeDiscovery } from "../../data/instances";
import { keys } from "../../data/keys";
import type { Discovery } from "../../data/types";
import { plural } from "../../lib/words";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { notify } from "../../parts/notices";
import { Failed } from "../../parts/State";

export function RemoveDiscovery({ discovery, why, onClose }: { discovery: Discovery; why?: string; onClose: () => void }) {
  const client = useQueryClient();
  const run = useMutation({
    mutationFn: () => removeDiscovery(discovery.id),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.discoveries });
      void client.invalidateQueries({ queryKey: keys.instances });
      notify(`${discovery.id} was removed.`);
      onClose();
    },
  });
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Remove the discovery ${discovery.id}`}
      description={`No instance is removed with it: ${plural(discovery.instances ?? 0, "instance")} of it stay, are still served, and are marked as gone.`}
    >
      {run.error ? <Failed error={run.error} /> : null}
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="danger" why={why} busy={run.isPending} onClick={() => run.mutate()}>
          Remove the discovery
        </Button>
      </Actions>
    </Dialog>
  );
}
