import { Check, SelectField, TextField } from "../../parts/Field";
import type { DiscoveryForm, Wrong } from "./discoveryForm";
import css from "./Instances.module.css";

interface Props {
  form: DiscoveryForm;
  set: (patch: Partial<DiscoveryForm>) => void;
  wrong: Wrong;
}

/** What each kind of source needs to be asked. */
export function SourceFields({ form, set, wrong }: Props) {
  if (form.type === "dns") return <Dns form={form} set={set} wrong={wrong} />;
  if (form.type === "consul") return <Consul form={form} set={set} wrong={wrong} />;
  return (
    <TextField
      label="Path"
      mono
      value={form.name}
      error={wrong.name}
      placeholder="hooks.json"
      hint="Below the directory that instances.files names on each controller; the leader reads its own."
      onChange={(e) => set({ name: e.target.value })}
    />
  );
}

function Scheme({ form, set }: Pick<Props, "form" | "set">) {
  return (
    <SelectField label="Scheme of the instances" value={form.scheme} onChange={(e) => set({ scheme: e.target.value })}>
      <option value="https">https</option>
      <option value="http">http</option>
    </SelectField>
  );
}

function Path({ form, set, wrong }: Props) {
  return (
    <TextField
      label="Path of their URLs"
      mono
      value={form.path}
      placeholder="none"
      error={wrong.path}
      onChange={(e) => set({ path: e.target.value })}
    />
  );
}

function Dns({ form, set, wrong }: Props) {
  return (
    <>
      <TextField
        label="DNS name"
        mono
        value={form.name}
        error={wrong.name}
        placeholder="hooks.default.svc.cluster.local"
        hint="In Kubernetes: the name of a headless service."
        onChange={(e) => set({ name: e.target.value })}
      />
      <div className={css.pair}>
        <SelectField label="Records" value={form.record} onChange={(e) => set({ record: e.target.value })}>
          <option value="A">A (IPv4)</option>
          <option value="AAAA">AAAA (IPv6)</option>
          <option value="SRV">SRV (with ports)</option>
        </SelectField>
        <TextField
          label="Port"
          mono
          inputMode="numeric"
          value={form.record === "SRV" ? "" : form.port}
          disabled={form.record === "SRV"}
          placeholder={form.record === "SRV" ? "from the record" : "8443"}
          error={wrong.port}
          onChange={(e) => set({ port: e.target.value })}
        />
        <TextField
          label="Resolver"
          mono
          value={form.resolver}
          placeholder="the machine’s own"
          error={wrong.resolver}
          onChange={(e) => set({ resolver: e.target.value })}
        />
        <Scheme form={form} set={set} />
      </div>
      <Path form={form} set={set} wrong={wrong} />
    </>
  );
}

function Consul({ form, set, wrong }: Props) {
  return (
    <>
      <div className={css.pair}>
        <TextField label="Consul" mono value={form.address} error={wrong.address} onChange={(e) => set({ address: e.target.value })} />
        <TextField
          label="Consul’s token"
          type="password"
          mono
          autoComplete="new-password"
          value={form.sourceToken}
          onChange={(e) => set({ sourceToken: e.target.value })}
        />
        <TextField
          label="Service"
          mono
          value={form.name}
          error={wrong.name}
          placeholder="hooks"
          onChange={(e) => set({ name: e.target.value })}
        />
        <TextField label="Tags" mono value={form.tags} placeholder="any" onChange={(e) => set({ tags: e.target.value })} />
        <TextField
          label="Datacenter"
          mono
          value={form.datacenter}
          placeholder="Consul’s own"
          onChange={(e) => set({ datacenter: e.target.value })}
        />
        <Scheme form={form} set={set} />
      </div>
      <Check
        label="Only those whose health checks pass"
        checked={form.passing}
        onChange={(e) => set({ passing: e.target.checked })}
      />
      <Path form={form} set={set} wrong={wrong} />
    </>
  );
}
