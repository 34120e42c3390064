// From what is typed in the form of an instance to what is sent.

import type { InstancePatch, NewInstance, Tls } from "../../data/instances";
import type { InstanceRow } from "../../data/types";
import { formatLabels, labelChanges, parseLabels } from "../../lib/labels";

export interface TlsForm {
  ca: string;
  serverName: string;
  cert: string;
  key: string;
}

export interface InstanceForm {
  id: string;
  url: string;
  token: string;
  /** The token that is there goes. */
  noToken: boolean;
  labels: string;
  accepts: string;
  tls: TlsForm;
  /** What was set of TLS gives way to what stands in the form. */
  newTls: boolean;
}

export const usualTargets = "webhooks connections";
export const emptyTls: TlsForm = { ca: "", serverName: "", cert: "", key: "" };

export function formOf(instance?: InstanceRow): InstanceForm {
  return {
    id: instance?.id ?? "",
    url: instance?.url ?? "",
    token: "",
    noToken: false,
    labels: formatLabels(instance?.labels),
    accepts: (instance?.accepts ?? usualTargets.split(" ")).join(" "),
    tls: { ...emptyTls, serverName: instance?.tls?.server_name ?? "" },
    newTls: false,
  };
}

export const words = (text: string) => text.split(/[\s,]+/).filter(Boolean);

/** The settings that are not empty; undefined when none is set. */
export function tlsOf(form: TlsForm): Tls | undefined {
  const tls: Tls = {};
  if (form.ca.trim()) tls.ca = pem(form.ca);
  if (form.serverName.trim()) tls.server_name = form.serverName.trim();
  if (form.cert.trim()) tls.cert = pem(form.cert);
  if (form.key.trim()) tls.key = pem(form.key);
  return Object.keys(tls).length > 0 ? tls : undefined;
}

const pem = (text: string) => `${text.trim()}\n`;

/** What is wrong before anything is sent, by the field; the server's word is the last. */
export function problems(form: InstanceForm): Partial<Record<"url" | "labels" | "accepts" | "tls", string>> {
  const out: ReturnType<typeof problems> = {};
  if (!/^https?:\/\/[^\s/]+/i.test(form.url.trim())) out.url = "An address such as https://hooks-1.example:8443.";
  const labels = parseLabels(form.labels).problem;
  if (labels) out.labels = labels;
  if (words(form.accepts).length === 0) out.accepts = "At least one target.";
  if (Boolean(form.tls.cert.trim()) !== Boolean(form.tls.key.trim())) out.tls = "A client certificate and its key go together.";
  return out;
}

export function newInstance(form: InstanceForm): NewInstance {
  return {
    id: form.id.trim() || undefined,
    url: form.url.trim(),
    token: form.token || undefined,
    labels: parseLabels(form.labels).labels,
    accepts: words(form.accepts),
    tls: tlsOf(form.tls),
  };
}

/** Only what differs; an empty object when nothing does. */
export function patchOf(before: InstanceRow, form: InstanceForm): InstancePatch {
  const patch: InstancePatch = {};
  if (form.url.trim() !== before.url) patch.url = form.url.trim();
  if (form.noToken) patch.token = "";
  else if (form.token) patch.token = form.token;
  const accepts = words(form.accepts);
  if ([...accepts].sort().join() !== [...before.accepts].sort().join()) patch.accepts = accepts;
  const labels = labelChanges(before.labels, parseLabels(form.labels).labels);
  if (Object.keys(labels).length > 0) patch.labels = labels;
  // An absent setting stays, an empty one goes.
  if (form.newTls) patch.tls = { ca: "", server_name: "", cert: "", key: "", ...tlsOf(form.tls) };
  return patch;
}
