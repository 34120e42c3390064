// From what is typed in the form of a discovery to what is sent.

import type { NewDiscovery } from "../../data/instances";
import type { Discovery } from "../../data/types";
import { parseLabels } from "../../lib/labels";
import { emptyTls, tlsOf, type TlsForm, usualTargets, words } from "./form";

export interface DiscoveryForm {
  id: string;
  type: Discovery["type"];
  interval: string;
  labels: string;
  accepts: string;
  token: string;
  tls: TlsForm;
  /** DNS name, Consul service or path of a file. */
  name: string;
  record: string;
  port: string;
  /** Of the URLs of the instances. */
  scheme: string;
  path: string;
  resolver: string;
  /** Of Consul; with a scheme or without. */
  address: string;
  passing: boolean;
  tags: string;
  datacenter: string;
  sourceToken: string;
}

export const emptyDiscovery: DiscoveryForm = {
  id: "",
  type: "dns",
  interval: "30s",
  labels: "",
  accepts: usualTargets,
  token: "",
  tls: emptyTls,
  name: "",
  record: "A",
  port: "",
  scheme: "https",
  path: "",
  resolver: "",
  address: "127.0.0.1:8500",
  passing: false,
  tags: "",
  datacenter: "",
  sourceToken: "",
};

export type Wrong = Partial<Record<"id" | "name" | "port" | "address" | "interval" | "labels" | "accepts" | "tls" | "token" | "resolver" | "path", string>>;

const nouns = { dns: "A name to look up.", consul: "A service’s name.", file: "A file’s path." };

/** What is wrong before anything is sent; the server's word is the last. */
export function discoveryProblems(form: DiscoveryForm): Wrong {
  const out: Wrong = {};
  if (form.id.trim() === "") out.id = "A name is needed: instances carry it as their source.";
  if (form.name.trim() === "") out.name = nouns[form.type];
  const port = Number(form.port);
  const needsPort = form.type === "dns" && form.record !== "SRV";
  if (needsPort && !(Number.isInteger(port) && port >= 1 && port <= 65_535)) out.port = "A port from 1 to 65535.";
  if (form.type === "consul" && form.address.trim() === "") out.address = "Where Consul answers.";
  if (!/^\d+(\.\d+)?(s|m|h)$/.test(form.interval.trim())) out.interval = "A time such as 30s or 5m; at least 5s.";
  const labels = parseLabels(form.labels).problem;
  if (labels) out.labels = labels;
  if (words(form.accepts).length === 0) out.accepts = "At least one target.";
  if (Boolean(form.tls.cert.trim()) !== Boolean(form.tls.key.trim())) out.tls = "A client certificate and its key go together.";
  return out;
}

export function newDiscovery(form: DiscoveryForm): NewDiscovery {
  const base: NewDiscovery = {
    id: form.id.trim(),
    type: form.type,
    interval: form.interval.trim(),
    labels: parseLabels(form.labels).labels,
    accepts: words(form.accepts),
    token: form.token || undefined,
    tls: tlsOf(form.tls),
  };
  const or = (text: string) => text.trim() || undefined;
  switch (form.type) {
    case "dns":
      return {
        ...base,
        dns: {
          name: form.name.trim(),
          type: form.record,
          port: form.record === "SRV" ? undefined : Number(form.port),
          scheme: form.scheme,
          resolver: or(form.resolver),
          path: or(form.path),
        },
      };
    case "consul":
      return {
        ...base,
        consul: {
          address: form.address.trim().replace(/^https?:\/\//, ""),
          scheme: /^https:/.test(form.address.trim()) ? "https" : "http",
          service: form.name.trim(),
          tags: words(form.tags),
          datacenter: or(form.datacenter),
          passing: form.passing || undefined,
          instance_scheme: form.scheme,
          path: or(form.path),
          token: form.sourceToken || undefined,
        },
      };
    case "file":
      return { ...base, file: { path: form.name.trim() } };
  }
}

/** What a discovery asks, in a row. */
export function asks(d: Discovery): string {
  if (d.dns) return `${d.dns.type} ${d.dns.name}${d.dns.port ? ` port ${d.dns.port}` : ""}`;
  if (d.consul) return [d.consul.service, ...(d.consul.tags ?? []).map((t) => `#${t}`), `at ${d.consul.address}`].join(" ");
  return d.file?.path ?? "";
}

/** "5m" for "5m0s". */
export const every = (interval: string) => interval.replace(/([hm])0s$/, "$1").replace(/h0m$/, "h");

/** Where the API speaks of a field of the form. */
export function placesOf(form: DiscoveryForm): Record<"name" | "address" | "port" | "resolver" | "path", string> {
  const noun = { dns: "name", consul: "service", file: "path" }[form.type];
  return {
    name: `/${form.type}/${noun}`,
    address: "/consul/address",
    port: "/dns/port",
    resolver: "/dns/resolver",
    path: `/${form.type}/path`,
  };
}
