import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useWhyNot } from "../../app/may";
import { ApiError } from "../../data/http";
import { exists } from "../../data/documents";
import { nameProblem } from "../../lib/tree";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { TextField } from "../../parts/Field";

/** Asks for a name only: everything else belongs to the draft, which the editor opens. */
export function NewDocument({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const navigate = useNavigate();
  const why = useWhyNot("documents.write", nameProblem(name) ? undefined : name);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const problem = nameProblem(name) ?? why;
    if (problem) return setError(problem);
    setBusy(true);
    try {
      await exists(name);
      setError("A document of this name exists already.");
    } catch (cause) {
      if (!(cause instanceof ApiError) || cause.status !== 404) return setError((cause as Error).message);
      await navigate({ to: "/documents/$name", params: { name }, search: { tab: "edit" } });
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog open onClose={onClose} title="New document">
      <form onSubmit={(e) => void submit(e)} style={{ display: "grid", gap: 14 }}>
        <TextField
          label="Name"
          mono
          autoFocus
          value={name}
          error={error}
          hint="Such as routing/core. Nodes know it by its target, which is the name unless you set another."
          onChange={(e) => {
            setName(e.target.value.trim());
            setError(undefined);
          }}
        />
        <Actions>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={busy}>
            Begin a draft
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}
