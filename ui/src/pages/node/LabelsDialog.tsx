import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { setLabels } from "../../data/fleet";
import type { NodeFull } from "../../data/types";
import { formatLabels, labelChanges, parseLabels } from "../../lib/labels";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { TextField } from "../../parts/Field";
import { notify } from "../../parts/notices";
import { Failed } from "../../parts/State";
import css from "./Node.module.css";

export function LabelsDialog({ node, why, onClose }: { node: NodeFull; why?: string; onClose: () => void }) {
  const [text, setText] = useState(formatLabels(node.labels));
  const parsed = parseLabels(text);
  const changes = labelChanges(node.labels, parsed.labels);
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: () => setLabels(node.id, changes),
    onSuccess: () => {
      void client.invalidateQueries();
      notify(`Labels of ${node.id} changed.`);
      onClose();
    },
  });
  const off = why ?? parsed.problem ?? (Object.keys(changes).length === 0 ? "Nothing differs." : undefined);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!off && !save.isPending) save.mutate();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Labels of ${node.id}`}
      description="Selectors match labels: documents may come to this node, or leave it, as soon as they change."
    >
      <form className={css.form} onSubmit={submit}>
        <TextField
          label="Labels"
          mono
          autoFocus
          value={text}
          error={parsed.problem}
          hint="key=value, parted by spaces."
          onChange={(e) => setText(e.target.value)}
        />
        {save.error ? <Failed error={save.error} /> : null}
        <Actions>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" why={off} busy={save.isPending}>
            Save labels
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}
