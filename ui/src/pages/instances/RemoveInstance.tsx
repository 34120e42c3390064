import { useMutation, useQueryClient } from "@tanstack/react-query";
import { removeInstance } from "../../data/instances";
import { keys } from "../../data/keys";
import type { InstanceRow } from "../../data/types";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { notify } from "../../parts/notices";
import { Failed } from "../../parts/State";

export function RemoveInstance({ instance, why, onClose }: { instance: InstanceRow; why?: string; onClose: () => void }) {
  const client = useQueryClient();
  const run = useMutation({
    mutationFn: () => removeInstance(instance.id),
    onSuccess: () => {
      onClose();
      // Not the one that this dialog is about: it is gone.
      for (const key of [keys.instanceList, keys.instanceHeld, keys.nodes, keys.fleet, keys.deadLetters]) {
        void client.invalidateQueries({ queryKey: key });
      }
      notify(`${instance.id} was removed.`);
    },
  });
  const found = instance.source && instance.source !== "manual" && !instance.gone;
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Remove ${instance.id}`}
      description="It is no longer called, and its token is forgotten. What it runs stays on it."
    >
      {found ? (
        <p>
          The discovery <code>{instance.source}</code> still finds it and will add it again: take it out there first, or remove the
          discovery.
        </p>
      ) : null}
      {run.error ? <Failed error={run.error} /> : null}
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="danger" why={why} busy={run.isPending} onClick={() => run.mutate()}>
          Remove the instance
        </Button>
      </Actions>
    </Dialog>
  );
}
