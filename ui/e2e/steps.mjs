// What a person does, step by step. Each step leaves t.page where the next one begins.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { assertPolicyKept, open } from "./browser.mjs";

const patience = 20_000;
const first = { greeting: "hello", limits: { mtu: 1400, retries: 3 } };
const second = { greeting: "hello", limits: { mtu: 1500, retries: 3 } };
const documentPath = (name) => `/documents/${encodeURIComponent(name)}`;

/** Asks again until it holds; the condition's own error tells what was wrong. */
export async function eventually(what, check) {
  const until = Date.now() + patience;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > until) throw new Error(`${what}: ${error.message}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function logsIn(t) {
  t.page = await open(t.context, t.watch);
  const done = [t.watch.expect(401, /\/api\/v1\/(me|login)$/)];
  await t.page.goto(`${t.url}/nodes?q=site=site-1`);
  await t.page.waitForURL(/\/login\?next=/);
  await t.page.getByLabel("User").fill(t.user);
  await t.page.getByLabel("Password").fill(`${t.password} and more`);
  await t.page.getByRole("button", { name: "Log in" }).click();
  await t.page.getByRole("alert").getByText("User or password is wrong.").waitFor();
  await t.page.getByLabel("Password").fill(t.password);
  await t.page.keyboard.press("Enter");
  // Back to where the way to the login began, filter and all.
  await t.page.waitForURL(/\/nodes\?q=site=site-1$/);
  await t.page.getByText("Live", { exact: true }).waitFor();
  for (const end of done) end();
}

async function createsADocument(t) {
  const { page } = t;
  const done = t.watch.expect(404, /\/api\/v1\/documents\/e2e%2F/);
  await page.getByRole("link", { name: "Documents", exact: true }).click();
  await page.getByRole("button", { name: "New document" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill("Not A Name");
  await page.getByRole("button", { name: "Begin a draft" }).click();
  await page.getByText("beginning with a letter or digit").waitFor();
  await page.getByLabel("Name", { exact: true }).fill(t.name);
  await page.getByRole("button", { name: "Begin a draft" }).click();
  await typeInEditor(page, '{"greeting": ');
  await page.getByText(/^Line 1, column \d+: the text ends/).waitFor();
  await typeInEditor(page, JSON.stringify(first));
  await page.getByLabel("Selector").fill("role=edge");
  await page.getByRole("button", { name: "Review…" }).click();
  await page.getByText(/^A new document · affects \d+ node/).waitFor();
  const push = page.getByRole("button", { name: /^Push v1 to \d+ node/ });
  await push.click();
  await page.getByText("A message is needed").waitFor();
  await page.getByLabel("Message").fill("Made by the browser test");
  await commits(page, push);
  done();
}

async function watchesItLand(t) {
  await everyTargetAcked(t.page);
  await filesHold(t, first);
}

async function editsByKeyboardAlone(t) {
  const { page } = t;
  await page.keyboard.press("Control+k");
  await page.getByPlaceholder("Page, document, node or action").waitFor();
  await page.keyboard.type(t.name);
  await page.getByRole("option", { name: t.name }).waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.pathname === documentPath(t.name));
  await page.getByText("Effective v1").waitFor();
  await tabTo(page, "Edit", "Tab");
  await page.keyboard.press("Enter");
  const editor = page.getByRole("textbox", { name: `Draft of ${t.name}` });
  await editor.waitFor();
  await eventually("the editor has the focus", async () => assert(await editor.evaluate((e) => e.contains(document.activeElement))));
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(JSON.stringify(second));
  await page.getByText("Valid. Draft kept in this browser.").waitFor();
  await tabTo(page, "Review…", "Shift+Tab");
  await page.keyboard.press("Enter");
  await page.getByText(/^Draft against v1 · affects/).waitFor();
  await page.getByText("/limits/mtu").waitFor();
  await eventually("the message has the focus", async () =>
    assert.equal(await page.evaluate(() => document.activeElement?.labels?.[0]?.textContent), "Message"),
  );
  await page.keyboard.type("Larger packets, by keyboard");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/pushes\//);
  await everyTargetAcked(page);
  await filesHold(t, second);
}

async function keepsADraft(t) {
  const { page } = t;
  await page.goto(`${t.url}${documentPath(t.name)}?tab=edit`);
  await typeInEditor(page, JSON.stringify({ ...second, draft: 1.0 }).replace("1}", "1.0}"));
  await page.getByText("Valid. Draft kept in this browser.").waitFor();
  await page.reload();
  await page.getByText('"draft"').waitFor();
  assert.match(await page.locator(".cm-content").first().innerText(), /"draft":\s*1\.0/, "1.0 must stay 1.0");
  await page.getByRole("button", { name: "Discard draft" }).click();
  await page.getByText("No change yet.").waitFor();
}

async function compares(t) {
  const { page } = t;
  await page.goto(`${t.url}${documentPath(t.name)}?tab=history`);
  await page.getByRole("row", { name: /v2.*effective/ }).getByRole("link", { name: "Compare" }).click();
  await page.waitForURL(/compare\?from=1&to=2$/);
  const change = page.getByRole("listitem").filter({ hasText: "/limits/mtu" });
  await change.getByText("1400").waitFor();
  await change.getByText("1500").waitFor();
  await eventually("both texts are shown", async () => assert.equal(await page.locator(".cm-mergeView .cm-editor").count(), 2));
}

async function rollsBackAfterTheDiff(t) {
  const { page } = t;
  await page.goto(`${t.url}${documentPath(t.name)}?tab=history`);
  await page.getByRole("row", { name: /v1/ }).getByRole("link", { name: "Roll back…" }).click();
  await page.getByText(/^Roll back from v2 to the content of v1/).waitFor();
  await page.getByText("/limits/mtu").waitFor();
  await commits(page, page.getByRole("button", { name: /^Roll back \d+ nodes? to v1$/ }));
  await everyTargetAcked(page);
  await filesHold(t, first);
}

async function looksAtANode(t) {
  const { page } = t;
  await page.getByRole("table", { name: "Targets" }).getByRole("link").first().click();
  await page.waitForURL(/\/nodes\//);
  await page.getByText(/^in sync, revision \d+$/).waitFor();
  const row = page.getByRole("table", { name: "Documents" }).getByRole("row").filter({ hasText: t.name });
  await row.getByText("v3").first().waitFor();
  await page.getByRole("heading", { name: "Why" }).waitFor();
}

async function filtersNodes(t) {
  const { page } = t;
  await page.goto(`${t.url}/nodes`);
  const table = page.getByRole("table", { name: "Nodes" });
  await table.waitFor();
  const all = await table.getByRole("row").count();
  await page.getByRole("searchbox", { name: "Filter nodes" }).click();
  // A pause behind the space must not eat it.
  await page.keyboard.type("site=site-1 ");
  await page.waitForURL(/\?q=site=site-1$/);
  await page.keyboard.type("role=edge");
  await page.waitForURL(/\?q=site=site-1\+role=edge$/);
  if (t.agents.length > 1) await eventually("fewer nodes", async () => assert((await table.getByRole("row").count()) < all));
  await page.getByRole("navigation", { name: "Filter by status" }).getByRole("link", { name: /dead letter/ }).click();
  await page.waitForURL(/\?q=site=site-1\+status=dead_letter\+role=edge$|\?q=site=site-1\+role=edge\+status=dead_letter$/);
  await page.getByRole("button", { name: "Clear the filter" }).click();
  await page.waitForURL(/\/nodes$/);
  await eventually("all nodes again", async () => assert.equal(await table.getByRole("row").count(), all));
}

async function looksAtTheCluster(t) {
  const { page } = t;
  await page.getByRole("link", { name: "Cluster", exact: true }).click();
  const table = page.getByRole("table", { name: "Controllers" });
  await table.getByText("leader", { exact: true }).waitFor();
  if (t.peers) await eventually("every controller is listed", async () => assert.equal(await table.getByRole("row").count(), t.peers + 1));
  if (t.peers === 3) await page.getByText("3 voters, tolerates 1").first().waitFor();
  if (t.peers > 1) await page.getByText(`equal on ${t.peers} controllers`).waitFor();
}

async function showsAnEnrolmentTokenOnce(t) {
  const { page } = t;
  await page.goto(`${t.url}/nodes`);
  await page.getByRole("button", { name: "Enroll a node" }).first().click();
  await page.getByLabel("Labels").fill("site=e2e role=none");
  await page.getByRole("button", { name: "Make a token" }).click();
  await page.getByText(/drover-agent enroll --addr .* --token \S+/).waitFor();
  await page.getByRole("button", { name: "Done" }).click();
  assert.equal(await page.getByText("drover-agent enroll").count(), 0);
}

async function seesWhatOthersDo(t) {
  const watcher = await open(t.context, t.watch);
  await watcher.goto(`${t.url}/`);
  await watcher.getByText("Live", { exact: true }).waitFor();
  const { page } = t;
  // The page of the document may ask for it once more, when it is gone.
  const done = t.watch.expect(404, /\/api\/v1\/documents\/e2e%2F/);
  await page.goto(`${t.url}${documentPath(t.name)}?do=delete`);
  const remove = page.getByRole("button", { name: /^Delete from \d+ node/ });
  await eventually("the button says why it is off", async () => {
    assert.equal(await remove.getAttribute("aria-disabled"), "true");
    assert.equal(await remove.getAttribute("title"), "Type the document’s name first.");
  });
  await page.getByLabel(`Type ${t.name} to confirm`).fill(t.name);
  await commits(page, remove);
  await everyTargetAcked(page);
  await filesGone(t);
  // Nothing jumps: the new revision waits behind a button.
  await watcher.getByRole("button", { name: /^\d+ changes? – show$/ }).click();
  await watcher.getByRole("table", { name: "Recent changes" }).getByText(`${t.name} deleted`).first().waitFor();
  await assertPolicyKept(watcher);
  await watcher.close();
  done();
}

async function verifiesTheAudit(t) {
  const { page } = t;
  await page.goto(`${t.url}/audit`);
  await page.getByRole("button", { name: "Verify the chain" }).click();
  await page.getByText(/^Unbroken: [\d,]+ entr/).waitFor();
  await page.getByRole("table", { name: "Audit log" }).getByText(t.name).first().waitFor();
  await assertPolicyKept(page);
}

/** Presses a button that commits. On a busy machine an election may come between; then a person presses it again. */
async function commits(page, button) {
  await eventually("committed", async () => {
    if (/\/pushes\//.test(page.url())) return;
    await button.click({ timeout: 2000 });
    await page.waitForURL(/\/pushes\//, { timeout: 5000 });
  });
}

async function typeInEditor(page, text) {
  const editor = page.getByRole("textbox", { name: /^Draft of / });
  await editor.click();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(text);
}

/** Moves the focus with one key until it stands on what is called so. */
async function tabTo(page, name, key) {
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press(key);
    if ((await page.evaluate(() => document.activeElement?.textContent)) === name) return;
  }
  throw new Error(`${key} does not lead to “${name}”`);
}

async function everyTargetAcked(page) {
  const bar = page.getByRole("navigation", { name: "Filter by status" });
  await bar.waitFor();
  await eventually("every target acked", async () => {
    const [all, acked] = await Promise.all(
      [/^[\d,]+\s*all$/, /^[\d,]+\s*acked$/].map(async (name) => Number.parseInt(await bar.getByRole("link", { name }).innerText(), 10)),
    );
    assert(all > 0, "the push has no target");
    assert.equal(acked, all, "acked");
    await page.getByText("done", { exact: true }).waitFor({ timeout: 1000 });
  });
}

const fileOf = (t, agent) => path.join(agent.dir, "current", `${t.name}.json`);

async function filesHold(t, content) {
  for (const agent of t.agents) {
    await eventually(`the file of ${agent.node}`, async () =>
      assert.deepEqual(JSON.parse(await readFile(fileOf(t, agent), "utf8")), content),
    );
  }
}

async function filesGone(t) {
  for (const agent of t.agents) {
    await eventually(`the file of ${agent.node} is gone`, () => assert.rejects(readFile(fileOf(t, agent)), { code: "ENOENT" }));
  }
}

export const inOrder = {
  logsIn,
  createsADocument,
  watchesItLand,
  editsByKeyboardAlone,
  keepsADraft,
  compares,
  rollsBackAfterTheDiff,
  looksAtANode,
  filtersNodes,
  looksAtTheCluster,
  showsAnEnrolmentTokenOnce,
  seesWhatOthersDo,
  verifiesTheAudit,
};
