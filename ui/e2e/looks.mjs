// Every page in both themes and on a phone: clean for axe, within its policy, no wider than the screen.
import { assertAccessible, assertNoSidewaysScroll, assertPolicyKept, open } from "./browser.mjs";

/** The pages there are; those of an object take the first that the API knows. */
async function addresses(t) {
  const get = async (path) => (await (await t.context.request.get(`${t.url}/api/v1${path}`)).json()).items?.[0];
  const [document, push, node, instance] = await Promise.all(["/documents", "/pushes", "/nodes", "/instances"].map(get));
  const name = document && encodeURIComponent(document.document);
  return [
    "/",
    "/documents",
    "/documents?q=nothing-is-called-so",
    "/documents?new=1",
    ...(name
      ? [
          `/documents/${name}`,
          `/documents/${name}?tab=edit`,
          `/documents/${name}?tab=history`,
          `/documents/${name}?tab=targets`,
          `/documents/${name}?do=delete`,
        ]
      : []),
    ...(document?.version > 1 ? [`/documents/${name}/compare?from=1&to=${document.version}`] : []),
    "/pushes",
    ...(push ? [`/pushes/${encodeURIComponent(push.id)}`, `/pushes/${encodeURIComponent(push.id)}?status=dead_letter`] : []),
    "/nodes",
    "/nodes?q=site=nowhere",
    "/nodes?do=enroll",
    ...(node ? [`/nodes/${encodeURIComponent(node.id)}`, `/nodes/${encodeURIComponent(node.id)}?do=labels`] : []),
    "/instances",
    "/instances?q=nothing-is-called-so",
    "/instances?do=add",
    "/instances?do=sync:all",
    "/instances?tab=verify",
    "/instances?tab=discoveries",
    "/instances?tab=discoveries&do=discover",
    ...(instance
      ? [
          ...[t.instance, t.silent].map((id) => `/nodes/${id}`),
          `/instances?do=edit:${encodeURIComponent(instance.id)}`,
          `/instances?do=remove:${encodeURIComponent(instance.id)}`,
        ]
      : []),
    "/deadletters",
    "/deadletters?q=nothing-is-called-so",
    "/deadletters?do=retry",
    "/cluster",
    "/audit",
    "/settings/users",
    "/settings/users?do=add",
    "/settings/tokens",
    "/settings/tokens?do=add",
    "/settings/appearance",
    "/there-is-no-such-page",
  ];
}

/** Waits until the page has its heading and nothing of it is loading any more. */
async function settled(page) {
  await page.locator("h1").first().waitFor();
  await page.waitForFunction(() => !document.querySelector('[aria-label="Loading"]'));
  await page.evaluate(() => document.fonts.ready);
}

async function walk(t, look, check) {
  const state = await t.context.storageState();
  const context = await t.context.browser().newContext({ ...look, storageState: state, ignoreHTTPSErrors: true });
  context.setDefaultTimeout(20_000);
  t.page = await open(context, t.watch);
  for (const address of await addresses(t)) {
    await t.page.goto(t.url + address);
    await settled(t.page);
    await check(t.page, address);
    await assertNoSidewaysScroll(t.page, address);
    await assertPolicyKept(t.page);
  }
  await context.close();
}

const desktop = { viewport: { width: 1360, height: 860 } };
const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };
const accessible = (theme) => (page, address) => assertAccessible(page, `${address}, ${theme}`);

async function lightThemeIsAccessible(t) {
  await walk(t, { ...desktop, colorScheme: "light" }, accessible("light"));
}

async function darkThemeIsAccessible(t) {
  await walk(t, { ...desktop, colorScheme: "dark" }, accessible("dark"));
}

async function phoneHasEveryPage(t) {
  await walk(t, { ...phone, colorScheme: "dark" }, async (page) => {
    const menu = page.getByRole("button", { name: "Menu", exact: true });
    // A dialog hides what is behind it.
    if ((await page.getByRole("dialog").count()) > 0) return;
    await menu.click();
    await page.getByRole("link", { name: "Cluster", exact: true }).waitFor();
    await page.getByRole("button", { name: "Close", exact: true }).click();
  });
}

async function logsOut(t) {
  // Another tab's event stream ends with the session, and the browser calls that an error.
  for (const page of t.context.pages()) await page.close();
  t.page = await open(t.context, t.watch);
  const done = t.watch.expect(401, /\/api\/v1\//);
  await t.page.goto(`${t.url}/`);
  await t.page.getByRole("button", { name: /: menu$/ }).click();
  await t.page.getByRole("menuitem", { name: "Log out" }).click();
  await t.page.waitForURL(/\/login/);
  await assertAccessible(t.page, "/login");
  await t.page.goto(`${t.url}/documents`);
  await t.page.waitForURL(/\/login\?next=/);
  done();
}

export const inOrder = { lightThemeIsAccessible, darkThemeIsAccessible, phoneHasEveryPage };
export const last = { logsOut };
