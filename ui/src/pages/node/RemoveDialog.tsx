import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { removeNode } from "../../data/fleet";
import { keys } from "../../data/keys";
import type { NodeFull } from "../../data/types";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { TextField } from "../../parts/Field";
import { Failed } from "../../parts/State";
import css from "./Node.module.css";

export function RemoveDialog({ node, why, onClose }: { node: NodeFull; why?: string; onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const client = useQueryClient();
  const navigate = useNavigate();
  const run = useMutation({
    mutationFn: () => removeNode(node.id),
    onSuccess: async () => {
      await navigate({ to: "/nodes" });
      client.removeQueries({ queryKey: keys.node(node.id) });
      await client.invalidateQueries();
    },
  });
  const off = why ?? (typed === node.id ? undefined : "Type the node’s id first.");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!off && !run.isPending) run.mutate();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Remove ${node.id}`}
      description={
        node.kind === "instance"
          ? "It is no longer called, and its token is forgotten. What it runs stays on it. A discovery that still finds it adds it again."
          : "Its key is refused from then on. What it runs stays on the machine; coming back takes a new token."
      }
    >
      <form className={css.form} onSubmit={submit}>
        <TextField label={`Type ${node.id} to confirm`} mono autoFocus value={typed} onChange={(e) => setTyped(e.target.value)} />
        {run.error ? <Failed error={run.error} /> : null}
        <Actions>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="danger" type="submit" why={off} busy={run.isPending}>
            Remove the node
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}
