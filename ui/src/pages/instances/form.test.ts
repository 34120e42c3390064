import { expect, test } from "vitest";
import type { InstanceRow } from "../../data/types";
import { formOf, newInstance, patchOf, problems } from "./form";

const row: InstanceRow = {
  id: "hook-1",
  url: "https://hook-1.example",
  labels: { role: "webhook", site: "fra" },
  accepts: ["connections", "webhooks"],
  source: "manual",
  has_token: true,
  tls: { ca: true, server_name: "hooks.example" },
  connected: true,
  status: "acked",
  in_sync: true,
  attempts: 0,
};

test("an untouched form changes nothing: no token, no TLS is taken away", () => {
  expect(patchOf(row, formOf(row))).toEqual({});
});

test("only what differs is sent", () => {
  const form = { ...formOf(row), url: " https://hook-9.example ", labels: "role=webhook", accepts: "webhooks", token: "s" };
  expect(patchOf(row, form)).toEqual({
    url: "https://hook-9.example",
    labels: { site: null },
    accepts: ["webhooks"],
    token: "s",
  });
});

test("a token is taken away only when that is said", () => {
  expect(patchOf(row, { ...formOf(row), noToken: true, token: "typed before" })).toEqual({ token: "" });
});

test("new TLS settings replace all that were there", () => {
  expect(patchOf(row, { ...formOf(row), newTls: true, tls: { ca: "", serverName: "", cert: "", key: "" } })).toEqual({
    tls: { ca: "", server_name: "", cert: "", key: "" },
  });
});

test("a new instance leaves out what is empty", () => {
  expect(newInstance({ ...formOf(), url: "http://h:1", tls: { ca: " PEM ", serverName: "", cert: "", key: "" } })).toEqual({
    id: undefined,
    url: "http://h:1",
    token: undefined,
    labels: {},
    accepts: ["webhooks", "connections"],
    tls: { ca: "PEM\n" },
  });
});

test("what cannot be right is said by its field", () => {
  const bad = { ...formOf(), url: "hook-1:8080", labels: "x", accepts: " ", tls: { ca: "", serverName: "", cert: "c", key: "" } };
  expect(Object.keys(problems(bad)).sort()).toEqual(["accepts", "labels", "tls", "url"]);
  expect(problems({ ...formOf(), url: "https://[::1]:8443" })).toEqual({});
});
