import { useMutation, useQueryClient } from "@tanstack/react-query";
import { removeUser } from "../../data/admin";
import { keys } from "../../data/keys";
import type { UserRow } from "../../data/types";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { notify } from "../../parts/notices";
import { Failed } from "../../parts/State";

export function RemoveUser({ user, why, onClose }: { user: UserRow; why?: string; onClose: () => void }) {
  const client = useQueryClient();
  const run = useMutation({
    mutationFn: () => removeUser(user.user),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.users });
      notify(`${user.user} was removed.`);
      onClose();
    },
  });
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Remove ${user.user}`}
      description="Sessions of this user end at once. What they did stays in the history and the audit log."
    >
      {run.error ? <Failed error={run.error} /> : null}
      <Actions>
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="danger" why={why} busy={run.isPending} onClick={() => run.mutate()}>
          Remove the user
        </Button>
      </Actions>
    </Dialog>
  );
}
