import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { saidOf } from "../../data/http";
import { addInstance, changeInstance } from "../../data/instances";
import { keys } from "../../data/keys";
import type { InstanceRow } from "../../data/types";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { Check, TextField } from "../../parts/Field";
import { notify } from "../../parts/notices";
import { Failed } from "../../parts/State";
import { formOf, type InstanceForm, newInstance, patchOf, problems } from "./form";
import css from "./Instances.module.css";
import { TlsFields } from "./TlsFields";

/** Adds an instance, or changes one: what is not touched stays. */
export function InstanceDialog({ instance, why, onClose }: { instance?: InstanceRow; why?: string; onClose: () => void }) {
  const [form, setForm] = useState(() => formOf(instance));
  const [tried, setTried] = useState(false);
  const set = (patch: Partial<InstanceForm>) => setForm({ ...form, ...patch });
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: () => (instance ? changeInstance(instance.id, patchOf(instance, form)) : addInstance(newInstance(form))),
    onSuccess: (saved) => {
      for (const key of [keys.instances, keys.nodes, keys.fleet]) void client.invalidateQueries({ queryKey: key });
      notify(instance ? `${instance.id} was changed and is called again.` : `${saved.id} was added; it is called now.`);
      onClose();
    },
  });
  const wrong = problems(form);
  const shown = tried ? wrong : {};
  const said = (pointer: string) => saidOf(save.error, pointer);
  const found = Boolean(instance && instance.source !== "manual");
  const unchanged = instance && Object.keys(patchOf(instance, form)).length === 0 ? "Nothing differs." : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!why && !unchanged && Object.keys(wrong).length === 0 && !save.isPending) save.mutate();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={instance ? `Edit ${instance.id}` : "Add an instance"}
      description={instance ? undefined : "A service with the admin endpoints. It need not be up yet."}
    >
      <form className={css.form} onSubmit={submit} noValidate>
        <TextField
          label="URL"
          mono
          autoFocus
          inputMode="url"
          value={form.url}
          placeholder="https://hooks-1.example:8443"
          error={shown.url ?? said("/url")}
          disabled={found}
          hint={
            found
              ? `What the discovery ${instance?.source} finds; change it there.`
              : "TLS is verified, redirects are not followed. The token goes to another host only when it is given again."
          }
          onChange={(e) => set({ url: e.target.value })}
        />
        {instance ? null : (
          <TextField
            label="Id"
            mono
            value={form.id}
            placeholder="from the URL"
            error={said("/id")}
            hint="How it is called here. It stays."
            onChange={(e) => set({ id: e.target.value })}
          />
        )}
        <TokenFields form={form} set={set} has={instance?.has_token} error={said("/token")} />
        <TextField
          label="Labels"
          mono
          value={form.labels}
          placeholder="role=webhook site=fra"
          error={shown.labels ?? said("/labels")}
          hint="Selectors of documents match these."
          onChange={(e) => set({ labels: e.target.value })}
        />
        <TextField
          label="Accepts"
          mono
          value={form.accepts}
          error={shown.accepts ?? said("/accepts")}
          hint="Targets that it takes, parted by spaces."
          onChange={(e) => set({ accepts: e.target.value })}
        />
        <details className={css.more} open={Boolean(shown.tls ?? said("/tls")) || undefined}>
          <summary>TLS{instance?.tls?.ca || instance?.tls?.cert ? " (settings of its own)" : ""}</summary>
          {instance ? (
            <Check
              label="Replace what is set by what stands here"
              checked={form.newTls}
              onChange={(e) => set({ newTls: e.target.checked })}
            />
          ) : null}
          {!instance || form.newTls ? <TlsFields tls={form.tls} error={shown.tls ?? said("/tls")} onChange={(tls) => set({ tls })} /> : null}
        </details>
        {save.error ? <Failed error={save.error} /> : null}
        <Actions>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" why={why ?? unchanged} busy={save.isPending}>
            {instance ? "Save" : "Add the instance"}
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}

interface TokenProps {
  form: InstanceForm;
  set: (patch: Partial<InstanceForm>) => void;
  has?: boolean;
  error?: string;
}

function TokenFields({ form, set, has, error }: TokenProps) {
  return (
    <>
      <TextField
        label="Token"
        type="password"
        mono
        autoComplete="new-password"
        value={form.noToken ? "" : form.token}
        disabled={form.noToken}
        error={error}
        placeholder={has ? "stays as it is" : "none"}
        hint="Sent as Authorization: Bearer. Sealed when it arrives, and never shown again."
        onChange={(e) => set({ token: e.target.value })}
      />
      {has ? <Check label="Take its token away" checked={form.noToken} onChange={(e) => set({ noToken: e.target.checked })} /> : null}
    </>
  );
}
