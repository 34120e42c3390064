import { expect, test } from "vitest";
import { asks, discoveryProblems, emptyDiscovery, every, newDiscovery } from "./discoveryForm";

test("an empty form says what it needs", () => {
  expect(Object.keys(discoveryProblems(emptyDiscovery)).sort()).toEqual(["id", "name", "port"]);
  const consul = { ...emptyDiscovery, type: "consul", address: "", interval: "soon" } as const;
  expect(Object.keys(discoveryProblems(consul)).sort()).toEqual(["address", "id", "interval", "name"]);
});

test("SRV records bring their port", () => {
  const form = { ...emptyDiscovery, id: "shop", name: "_hooks._tcp.example", record: "SRV", port: "" };
  expect(discoveryProblems(form)).toEqual({});
  expect(newDiscovery(form).dns).toEqual({ name: "_hooks._tcp.example", type: "SRV", port: undefined, scheme: "https", resolver: undefined, path: undefined });
});

test("Consul’s address may bear a scheme, which is not the one of the instances", () => {
  const form = { ...emptyDiscovery, id: "c", type: "consul", name: "hooks", scheme: "http" } as const;
  expect(newDiscovery({ ...form, address: " https://consul.example:8501 " }).consul).toMatchObject({
    address: "consul.example:8501",
    scheme: "https",
    instance_scheme: "http",
  });
  expect(newDiscovery(form).consul).toMatchObject({ address: "127.0.0.1:8500", scheme: "http" });
});

test("an interval is told short", () => {
  expect(["30s", "1m0s", "1m30s", "1h0m0s"].map(every)).toEqual(["30s", "1m", "1m30s", "1h"]);
});

test("only the chosen source is sent", () => {
  const form = { ...emptyDiscovery, id: "f", type: "file", name: "/etc/drover/hooks.yaml", labels: "role=webhook" } as const;
  const sent = newDiscovery(form);
  expect(sent.file).toEqual({ path: "/etc/drover/hooks.yaml" });
  expect([sent.dns, sent.consul, sent.token, sent.tls]).toEqual([undefined, undefined, undefined, undefined]);
  expect(sent.labels).toEqual({ role: "webhook" });
});

test("a row says what is asked", () => {
  expect(asks({ id: "d", type: "dns", interval: "30s", dns: { name: "hooks.svc", type: "A", port: 80 } })).toBe("A hooks.svc port 80");
  expect(asks({ id: "c", type: "consul", interval: "30s", consul: { address: "http://c:8500", service: "hooks", tags: ["v1"] } })).toBe(
    "hooks #v1 at http://c:8500",
  );
});
