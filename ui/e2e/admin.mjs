// What an administrator does: labels, controllers, users, tokens; and what somebody who may only read sees of it.
import assert from "node:assert/strict";
import { assertAccessible, assertPolicyKept, open } from "./browser.mjs";
import { eventually } from "./steps.mjs";

async function changesLabelsOfANode(t) {
  const { page } = t;
  await page.goto(`${t.url}/nodes`);
  await page.getByRole("table", { name: "Nodes" }).getByRole("link").first().click();
  await page.waitForURL(/\/nodes\/[^?]+$/);
  const labels = page.getByRole("dialog").getByLabel("Labels", { exact: true });
  const save = page.getByRole("button", { name: "Save labels" });
  await page.getByRole("button", { name: "Edit labels" }).click();
  const before = await labels.inputValue();
  await labels.fill(`${before} e2e`);
  await page.getByText("“e2e” is not key=value.").first().waitFor();
  await labels.fill(`${before} e2e=yes`);
  await pressUntilClosed(page, save);
  await page.getByText(/e2e=yes/).first().waitFor();
  await page.getByRole("button", { name: "Edit labels" }).click();
  await labels.fill(before);
  await pressUntilClosed(page, save);
  await eventually("the label is gone", async () => assert.equal(await page.getByText(/e2e=yes/).count(), 0));
  await page.getByRole("button", { name: "Resync" }).click();
  await page.getByText(/will read its files again and report/).waitFor();
}

async function invitesAController(t) {
  const { page } = t;
  await page.goto(`${t.url}/cluster`);
  await page.getByRole("button", { name: "Add a controller" }).click();
  await page.getByRole("button", { name: "Make a token" }).click();
  const command = page.getByLabel("Command");
  await command.waitFor();
  assert.match(await command.innerText(), /cluster join/);
  await page.getByText("Waiting for it to join").waitFor();
  await page.getByRole("button", { name: "Done" }).click();
}

async function handsLeadershipOver(t) {
  if (!t.peers || t.peers < 3) return;
  const { page } = t;
  const table = page.getByRole("table", { name: "Controllers" });
  const leader = table.getByRole("row").filter({ has: page.getByText("leader", { exact: true }) });
  const before = (await leader.getByRole("cell").first().innerText()).trim();
  await leader.getByRole("button", { name: "Hand over…" }).click();
  await pressUntilClosed(page, page.getByRole("button", { name: "Hand over", exact: true }));
  await eventually("another one leads", async () =>
    assert.notEqual((await leader.getByRole("cell").first().innerText({ timeout: 2000 })).trim(), before),
  );
}

async function makesATokenOnce(t) {
  const { page } = t;
  const name = t.name.replace("/", "-");
  await page.goto(`${t.url}/settings/tokens`);
  await page.getByRole("button", { name: "Make a token" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("button", { name: "Make the token" }).click();
  const secret = await page.getByLabel("Token", { exact: true }).innerText();
  const answer = await t.context.request.get(`${t.url}/api/v1/me`, { headers: { Authorization: `Bearer ${secret}`, Cookie: "" } });
  assert.equal(answer.status(), 200, "the token that was shown works");
  await page.getByRole("button", { name: "Done" }).click();
  const row = page.getByRole("table", { name: "Tokens" }).getByRole("row").filter({ hasText: name });
  await row.getByRole("button", { name: "Revoke…" }).click();
  await pressUntilClosed(page, page.getByRole("button", { name: "Revoke the token" }));
  await row.waitFor({ state: "detached" });
}

async function addsAReader(t) {
  const { page } = t;
  t.reader = { user: t.name.replace("/", "-"), password: `${t.name} with a long pass phrase` };
  await page.goto(`${t.url}/settings/users`);
  await page.getByRole("button", { name: "Add a user" }).click();
  await page.getByLabel("User", { exact: true }).fill(t.reader.user);
  await page.getByLabel("Password").fill(t.reader.password);
  await pressUntilClosed(page, page.getByRole("button", { name: "Add", exact: true }));
  await page.getByRole("table", { name: "Users" }).getByText(t.reader.user).waitFor();
}

async function showsAReaderWhatTheyMayNot(t) {
  const context = await t.context.browser().newContext({ ignoreHTTPSErrors: true });
  context.setDefaultTimeout(20_000);
  const page = await open(context, t.watch);
  const done = [t.watch.expect(401, /\/api\/v1\/me$/), t.watch.expect(403, /\/api\/v1\/users/)];
  await page.goto(`${t.url}/documents`);
  await page.getByLabel("User").fill(t.reader.user);
  await page.getByLabel("Password").fill(t.reader.password);
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/documents$/);
  const create = page.getByRole("button", { name: "New document" }).first();
  assert.equal(await create.getAttribute("aria-disabled"), "true");
  assert.equal(await create.getAttribute("title"), "Needs an editor; you are viewer.");
  await page.getByRole("link", { name: "Users", exact: true }).click();
  await page.getByRole("heading", { name: "Not allowed" }).waitFor();
  await assertAccessible(page, "/settings/users as a reader");
  await assertPolicyKept(page);
  for (const end of done) end();
  await context.close();
}

async function removesTheReader(t) {
  const { page } = t;
  const row = page.getByRole("table", { name: "Users" }).getByRole("row").filter({ hasText: t.reader.user });
  await row.getByRole("button", { name: "Remove…" }).click();
  await pressUntilClosed(page, page.getByRole("button", { name: "Remove the user" }));
  await row.waitFor({ state: "detached" });
}

/** Presses a dialog's button until the dialog is gone: an election may answer the first time. */
async function pressUntilClosed(page, button) {
  await eventually("the dialog closes", async () => {
    if ((await page.getByRole("dialog").count()) === 0) return;
    await button.click({ timeout: 2000 });
    await page.getByRole("dialog").waitFor({ state: "detached", timeout: 3000 });
  });
}

export const inOrder = {
  changesLabelsOfANode,
  invitesAController,
  handsLeadershipOver,
  makesATokenOnce,
  addsAReader,
  showsAReaderWhatTheyMayNot,
  removesTheReader,
};
