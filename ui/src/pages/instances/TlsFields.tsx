import { TextArea, TextField } from "../../parts/Field";
import type { TlsForm } from "./form";
import css from "./Instances.module.css";

/** Trust and client certificate, where the machine's usual trust will not do. */
export function TlsFields({ tls, onChange, error }: { tls: TlsForm; onChange: (tls: TlsForm) => void; error?: string }) {
  const set = (patch: Partial<TlsForm>) => onChange({ ...tls, ...patch });
  return (
    <div className={css.form}>
      <TextArea
        label="CA certificates"
        placeholder="-----BEGIN CERTIFICATE-----"
        hint="PEM. Empty: the CAs that the controller’s machine trusts."
        value={tls.ca}
        onChange={(e) => set({ ca: e.target.value })}
      />
      <TextField
        label="Server name"
        mono
        value={tls.serverName}
        hint="The name in its certificate, where that is not the host of the URL."
        onChange={(e) => set({ serverName: e.target.value })}
      />
      <TextArea label="Client certificate" value={tls.cert} error={error} onChange={(e) => set({ cert: e.target.value })} />
      <TextArea
        label="Client key"
        value={tls.key}
        hint="Sealed when it arrives, and never shown again."
        autoComplete="off"
        onChange={(e) => set({ key: e.target.value })}
      />
    </div>
  );
}
