import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { remove } from "../../data/documents";
import { keys } from "../../data/keys";
import type { DocumentFull } from "../../data/types";
import { plural } from "../../lib/words";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { TextField } from "../../parts/Field";
import { Failed } from "../../parts/State";
import css from "./Document.module.css";

/** Deleting takes the file from every node that holds it, so the name must be typed. */
export function DeleteDialog({ doc, why, onClose }: { doc: DocumentFull; why?: string; onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const client = useQueryClient();
  const navigate = useNavigate();
  const run = useMutation({
    mutationFn: () => remove(doc.document, doc.version),
    onSuccess: async (answer) => {
      if (answer?.push) await navigate({ to: "/pushes/$id", params: { id: answer.push } });
      else await navigate({ to: "/documents" });
      client.removeQueries({ queryKey: keys.document(doc.document) });
      await client.invalidateQueries({ queryKey: keys.documentList });
    },
  });
  const off = why ?? (typed === doc.document ? undefined : "Type the document’s name first.");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!off && !run.isPending) run.mutate();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Delete ${doc.document}`}
      description={`${plural(doc.nodes, "node")} will remove it. The history stays, and its version numbers go on should it come back.`}
    >
      <form className={css.stack} onSubmit={submit}>
        <TextField
          label={`Type ${doc.document} to confirm`}
          mono
          autoFocus
          value={typed}
          onChange={(e) => setTyped(e.target.value)}
        />
        {run.error ? <Failed error={run.error} /> : null}
        <Actions>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="danger" type="submit" why={off} busy={run.isPending}>
            Delete from {plural(doc.nodes, "node")}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}
