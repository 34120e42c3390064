// Drives the interface of a running `drover dev` in Chromium, as a person would.
//
//   DROVER_URL       a controller, such as http://127.0.0.1:8080
//   DROVER_USER      an administrator            DROVER_PASSWORD   their password
//   DROVER_DEV_JSON  optional: dev.json of `drover dev`; user, password and address are then taken from it where they
//                    are not given, and the files of its agents are looked at, too
//   DROVER_CHROMIUM  optional: the browser, /usr/bin/chromium unless told
import { readFileSync } from "node:fs";
import * as admin from "./admin.mjs";
import * as instances from "./instances.mjs";
import { launch, shot, Watch } from "./browser.mjs";
import * as looks from "./looks.mjs";
import * as steps from "./steps.mjs";

const dev = process.env.DROVER_DEV_JSON ? JSON.parse(readFileSync(process.env.DROVER_DEV_JSON, "utf8")) : undefined;
const setting = (name, fallback) => {
  const value = process.env[name] ?? fallback;
  if (!value) throw new Error(`${name} is not set`);
  return value;
};

const t = {
  url: setting("DROVER_URL", dev?.peers?.[0]?.url).replace(/\/$/, ""),
  user: setting("DROVER_USER", dev?.admin?.user),
  password: setting("DROVER_PASSWORD", dev?.admin?.password),
  agents: dev?.agents ?? [],
  peers: dev?.peers?.length,
  name: `e2e/run-${Date.now().toString(36)}`,
  watch: new Watch(),
};

const order = [steps.inOrder, admin.inOrder, instances.inOrder, looks.inOrder, instances.afterwards, looks.last].flatMap(Object.values);
const browser = await launch();
t.context = await browser.newContext({ viewport: { width: 1360, height: 860 }, ignoreHTTPSErrors: true });
t.context.setDefaultTimeout(20_000);
const started = Date.now();
let current = "start";
try {
  for (const step of order) {
    current = step.name;
    const began = Date.now();
    await step(t);
    t.watch.assertClean(step.name);
    console.log(`ok   ${step.name} (${Date.now() - began} ms)`);
  }
  console.log(`the browser test passed in ${((Date.now() - started) / 1000).toFixed(1)} s`);
} catch (error) {
  console.error(`FAIL ${current}: ${error.stack ?? error}`);
  for (const fault of t.watch.faults) console.error(`     ${fault}`);
  if (t.page && !t.page.isClosed()) console.error(`     ${t.page.url()} – see ${await shot(t.page, "failed")}`);
  process.exitCode = 1;
} finally {
  await t.service?.stop();
  await browser.close();
}
