// A service that is called over HTTP: added by hand, found drifted and synced, refused as a dead letter and retried.
import assert from "node:assert/strict";
import { assertPolicyKept, open } from "./browser.mjs";
import { Service } from "./service.mjs";
import { eventually } from "./steps.mjs";

const target = "e2e-hooks";
const first = { greet: { module: "log" } };
const second = { greet: { module: "log" }, part: { module: "log" } };
const refusal = "Validation failed: a part that the browser test has refused";
const byHand = { greet: { module: "something-else" } };

/** A call of the API as the page makes it: with the session's cookie, from the page's origin. */
async function call(t, method, path, body) {
  const answer = await t.page.evaluate(
    async ([m, p, b]) => {
      const r = await fetch(`/api/v1${p}`, { method: m, body: b, headers: b ? { "Content-Type": "application/json" } : {} });
      return { status: r.status, text: await r.text() };
    },
    [method, path, body === undefined ? undefined : JSON.stringify(body)],
  );
  assert(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.text ? JSON.parse(answer.text) : undefined;
}

const put = (t, content) =>
  call(t, "PUT", `/documents/${encodeURIComponent(t.name)}`, {
    content,
    target,
    selector: `e2e=${t.instance}`,
    policy: { drift: "report" },
    message: "The browser test",
  });

async function addsAnInstance(t) {
  const { page } = t;
  t.instance = t.name.replace("/", "-");
  t.service = await new Service("a-token-of-the-browser-test").start();
  await page.goto(`${t.url}/`);
  await put(t, first);
  await page.getByRole("link", { name: "Instances", exact: true }).click();
  await page.getByRole("button", { name: "Add an instance" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("URL").fill("hook without a scheme");
  await dialog.getByRole("button", { name: "Add the instance" }).click();
  await dialog.getByText("An address such as").waitFor();
  await dialog.getByLabel("URL").fill(t.service.url);
  await dialog.getByLabel("Id", { exact: true }).fill(t.instance);
  await dialog.getByLabel("Token").fill(t.service.token);
  await dialog.getByLabel("Labels").fill(`e2e=${t.instance}`);
  await dialog.getByLabel("Accepts").fill(target);
  await dialog.getByRole("button", { name: "Add the instance" }).click();
  await dialog.waitFor({ state: "detached" });
  await row(t, "Instances").getByText("in sync", { exact: true }).waitFor();
  assert.deepEqual(t.service.holds[target], first);
  await page.getByLabel("Filter instances").fill("nothing-is-called-so");
  await page.getByRole("heading", { name: "No instance matches" }).waitFor();
  await page.getByRole("button", { name: "Clear the filter" }).click();
}

async function verifyShowsDriftAndSyncHealsIt(t) {
  const { page } = t;
  t.service.holds[target] = byHand;
  await page.getByRole("link", { name: "Verify all" }).click();
  const verified = row(t, "Verified");
  await verified.getByText("differs", { exact: true }).waitFor();
  await page.getByRole("button", { name: /^Sync \d+ instances? that differs?…$/ }).waitFor();
  assert.deepEqual(t.service.holds[target], byHand, "the policy says that drift is reported, not healed");
  await verified.getByRole("checkbox").click();
  await page.getByRole("region", { name: "Chosen rows" }).getByRole("button", { name: "Sync 1 instance…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Sync 1 instance", exact: true }).click();
  await dialog.getByRole("heading", { name: "Synced 1 of 1 instance" }).waitFor();
  await dialog.getByRole("button", { name: "Done" }).click();
  await verified.getByText("in sync", { exact: true }).waitFor();
  assert.deepEqual(t.service.holds[target], first);
  await assertPolicyKept(page);
}

/** What the looks then meet: an instance with a dead letter, and one that does not answer. */
async function seesADeadLetter(t) {
  const { page } = t;
  t.service.refusal = refusal;
  await put(t, second);
  await page.goto(`${t.url}/`);
  // What needs a person stands on the start page, by its cause.
  await page.getByRole("link", { name: `1 dead letter: ${refusal}` }).click();
  await page.waitForURL(/\/deadletters\?cause=/);
  await row(t, "Dead letters").getByText("dead letter", { exact: true }).waitFor();
  t.silent = `${t.instance}-silent`;
  await call(t, "POST", "/instances", { id: t.silent, url: "http://127.0.0.1:1", labels: { role: "silent" } });
  await page.goto(`${t.url}/instances`);
  await page.getByRole("heading", { name: "Not answering" }).waitFor();
}

async function retriesADeadLetter(t) {
  t.page = await open(t.context, t.watch);
  const { page } = t;
  await page.goto(`${t.url}/deadletters`);
  t.service.refusal = undefined;
  await page.getByRole("button", { name: `Retry 1: ${refusal}` }).click();
  const dialog = page.getByRole("dialog", { name: "Retry 1 dead letter" });
  await dialog.getByText(t.instance).waitFor();
  await dialog.getByRole("button", { name: "Retry 1", exact: true }).click();
  await page.getByText("1 node will be tried again.").waitFor();
  await row(t, "Dead letters").waitFor({ state: "detached" });
  await eventually("the instance holds the second version", () => assert.deepEqual(t.service.holds[target], second));
}

async function looksAtAnInstance(t) {
  const { page } = t;
  await page.goto(`${t.url}/nodes/${t.instance}`);
  await page.getByText(t.service.url).waitFor();
  await page.getByText(/^in sync, revision \d+$/).waitFor();
  await t.service.stop();
  await page.getByRole("button", { name: "Sync…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Sync 1 instance", exact: true }).click();
  await dialog.getByRole("heading", { name: "Synced 0 of 1 instance" }).waitFor();
  await dialog.getByRole("list", { name: "Results" }).getByText("failed", { exact: true }).waitFor();
  await dialog.getByRole("button", { name: "Done" }).click();
  await page.getByRole("heading", { name: "Does not answer" }).waitFor();
}

async function removesAnInstance(t) {
  const { page } = t;
  await page.goto(`${t.url}/instances?q=${t.instance}`);
  await page.getByRole("heading", { name: "Not answering" }).waitFor();
  // The dialog may ask for it once more, when it is gone.
  const done = t.watch.expect(404, new RegExp(`/api/v1/instances/${t.instance}$`));
  await page.getByRole("button", { name: `Remove ${t.instance}`, exact: true }).click();
  await page.getByRole("button", { name: "Remove the instance" }).click();
  await row(t, "Instances").waitFor({ state: "detached" });
  done();
  await call(t, "DELETE", `/instances/${t.silent}`);
  await call(t, "DELETE", `/documents/${encodeURIComponent(t.name)}`);
}

async function addsADiscovery(t) {
  const { page } = t;
  await page.goto(`${t.url}/instances?tab=discoveries`);
  await page.getByRole("button", { name: "Add a discovery" }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name", { exact: true }).fill(t.instance);
  await dialog.getByLabel("Kind of source").selectOption("file");
  await dialog.getByRole("button", { name: "Add the discovery" }).click();
  await dialog.getByText("A file’s path.").waitFor();
  await dialog.getByLabel("Path").fill("there-is-no-such-file.json");
  await dialog.getByLabel("Asked every").fill("5s");
  await dialog.getByRole("button", { name: "Add the discovery" }).click();
  await dialog.waitFor({ state: "detached" });
  await row(t, "Discoveries").getByText("failing", { exact: true }).waitFor();
  await page.getByRole("button", { name: `Remove ${t.instance}` }).click();
  await page.getByRole("button", { name: "Remove the discovery" }).click();
  await row(t, "Discoveries").waitFor({ state: "detached" });
}

const row = (t, table) => {
  const named = t.page.getByText(t.instance, { exact: true });
  return t.page.getByRole("table", { name: table }).getByRole("row").filter({ has: named });
};

export const inOrder = {
  addsAnInstance,
  verifyShowsDriftAndSyncHealsIt,
  seesADeadLetter,
};

/** After the looks. */
export const afterwards = {
  retriesADeadLetter,
  looksAtAnInstance,
  removesAnInstance,
  addsADiscovery,
};
