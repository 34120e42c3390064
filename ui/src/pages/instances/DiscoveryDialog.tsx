import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { saidOf } from "../../data/http";
import { addDiscovery } from "../../data/instances";
import { keys } from "../../data/keys";
import type { Discovery } from "../../data/types";
import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { SelectField, TextField } from "../../parts/Field";
import { notify } from "../../parts/notices";
import { Failed } from "../../parts/State";
import { type DiscoveryForm, discoveryProblems, emptyDiscovery, newDiscovery, placesOf, type Wrong } from "./discoveryForm";
import css from "./Instances.module.css";
import { SourceFields } from "./SourceFields";
import { TlsFields } from "./TlsFields";

/** What the API found wrong, by the field. */
function said(error: Error | null, form: DiscoveryForm): Wrong {
  const out: Wrong = {};
  for (const [field, pointer] of Object.entries(placesOf(form))) out[field as keyof Wrong] = saidOf(error, pointer);
  for (const field of ["id", "interval", "labels", "accepts", "tls", "token"] as const) out[field] = saidOf(error, `/${field}`);
  return out;
}

export function DiscoveryDialog({ why, onClose }: { why?: string; onClose: () => void }) {
  const [form, setForm] = useState<DiscoveryForm>(emptyDiscovery);
  const [tried, setTried] = useState(false);
  const set = (patch: Partial<DiscoveryForm>) => setForm({ ...form, ...patch });
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: () => addDiscovery(newDiscovery(form)),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.discoveries });
      notify(`${form.id.trim()} was added; it is asked at once.`);
      onClose();
    },
  });
  const wrong = discoveryProblems(form);
  const shown = { ...said(save.error, form), ...(tried ? wrong : {}) };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!why && Object.keys(wrong).length === 0 && !save.isPending) save.mutate();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title="Add a discovery"
      description="A source that is asked on an interval. What it no longer finds is marked as gone, never removed."
    >
      <form className={css.form} onSubmit={submit} noValidate>
        <div className={css.pair}>
          <TextField label="Name" mono autoFocus value={form.id} error={shown.id} onChange={(e) => set({ id: e.target.value })} />
          <SelectField
            label="Kind of source"
            value={form.type}
            onChange={(e) => set({ type: e.target.value as Discovery["type"] })}
          >
            <option value="dns">DNS: A, AAAA or SRV</option>
            <option value="consul">Consul’s catalogue</option>
            <option value="file">A file on the controllers</option>
          </SelectField>
        </div>
        <SourceFields form={form} set={set} wrong={shown} />
        <div className={css.pair}>
          <TextField
            label="Asked every"
            mono
            value={form.interval}
            error={shown.interval}
            hint="30s, 5m; at least 5s."
            onChange={(e) => set({ interval: e.target.value })}
          />
          <TextField label="Accepts" mono value={form.accepts} error={shown.accepts} onChange={(e) => set({ accepts: e.target.value })} />
        </div>
        <TextField
          label="Labels"
          mono
          value={form.labels}
          placeholder="role=webhook"
          error={shown.labels}
          hint="All its instances bear these."
          onChange={(e) => set({ labels: e.target.value })}
        />
        <TextField
          label="Token of the instances"
          type="password"
          mono
          autoComplete="new-password"
          value={form.token}
          error={shown.token}
          hint="The same for all. Sealed when it arrives, and never shown again."
          onChange={(e) => set({ token: e.target.value })}
        />
        <details className={css.more} open={Boolean(shown.tls) || undefined}>
          <summary>TLS of the instances</summary>
          <TlsFields tls={form.tls} error={shown.tls} onChange={(tls) => set({ tls })} />
        </details>
        {save.error ? <Failed error={save.error} /> : null}
        <Actions>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" why={why} busy={save.isPending}>
            Add the discovery
          </Button>
        </Actions>
      </form>
    </Dialog>
  );
}
