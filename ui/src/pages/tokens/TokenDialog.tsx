import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { addToken } from "../../data/admin";
import { keys } from "../../data/keys";
import type { Role } from "../../data/types";
import { Button } from "../../parts/Button";
import { Copy } from "../../parts/Copy";
import { Actions, Dialog } from "../../parts/Dialog";
import { SelectField, TextField } from "../../parts/Field";
import { RoleFields, splitPrefixes } from "../../parts/RoleFields";
import { Failed } from "../../parts/State";

export function TokenDialog({ why, onClose }: { why?: string; onClose: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [prefixes, setPrefixes] = useState("");
  const [expires, setExpires] = useState("2160h");
  const client = useQueryClient();
  const make = useMutation({
    mutationFn: () => addToken({ name: name.trim(), role, prefixes: splitPrefixes(prefixes), expires }),
    onSuccess: () => void client.invalidateQueries({ queryKey: keys.tokens }),
  });
  if (make.data) {
    return (
      <Dialog open onClose={onClose} wide title={`Token ${name.trim()}`} description="Shown once: only its hash is kept.">
        <Copy label="Token" text={make.data.token} />
        <p>
          Used as <code>Authorization: Bearer …</code>, or in <code>DROVER_TOKEN</code> for the command line.
        </p>
        <Actions>
          <Button kind="primary" onClick={onClose}>
            Done
          </Button>
        </Actions>
      </Dialog>
    );
  }
  const off = why ?? (name.trim() === "" ? "A name is needed: it says what uses the token." : undefined);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!off && !make.isPending) make.mutate();
  };
  return (
    <Dialog open onClose={onClose} title="Make a token">
      <form onSubmit={submit} style={{ display: "grid", gap: 14 }}>
        <TextField label="Name" autoFocus value={name} placeholder="ci-deploy" onChange={(e) => setName(e.target.value)} />
        <RoleFields role={role} prefixes={prefixes} onRole={setRole} onPrefixes={setPrefixes} />
        <SelectField label="Expires after" value={expires} onChange={(e) => setExpires(e.target.value)}>
          <option value="24h">1 day</option>
          <option value="720h">30 days</option>
          <option value="2160h">90 days</option>
          <option value="8760h">1 year</option>
        </SelectField>
        {make.error ? <Failed error={make.error} /> : null}
        <Actions>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" why={off} busy={make.isPending}>
            Make the token
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}
