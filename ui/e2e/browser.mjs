// The browser of the scripted test: it fails on a console error, a page error, a breach of the content security
// policy, and on whatever axe finds.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const out = path.join(import.meta.dirname, "out");
const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function launch() {
  const executablePath = process.env.DROVER_CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) {
    throw new Error(`${executablePath} is missing: apt-get install chromium, or set DROVER_CHROMIUM to a Chromium`);
  }
  return chromium.launch({ executablePath, headless: true, args: flags });
}

/** Failed requests that a step expects; the browser writes each to its console. */
export class Watch {
  faults = [];
  // An election on a busy machine is no fault of the interface.
  expected = [{ status: 503, pattern: /\/api\/v1\// }];

  /** Lets answers of a status at addresses that match pass, until `done` is called. */
  expect(status, pattern) {
    const rule = { status, pattern };
    this.expected.push(rule);
    return () => this.expected.splice(this.expected.indexOf(rule), 1);
  }

  observe(page) {
    page.on("console", (message) => {
      if (message.type() !== "error") return;
      const url = message.location().url;
      const known = this.expected.some((e) => message.text().includes(`status of ${e.status}`) && e.pattern.test(url));
      if (!known) this.faults.push(`console: ${message.text()} ${url}`);
    });
    page.on("pageerror", (error) => this.faults.push(`page error: ${error.stack ?? error.message}`));
    page.on("requestfailed", (request) => {
      // A page that is left cancels what it was loading.
      const reason = request.failure()?.errorText ?? "";
      if (reason !== "net::ERR_ABORTED") this.faults.push(`request failed: ${reason} ${request.url()}`);
    });
  }

  assertClean(where) {
    if (this.faults.length > 0) throw new Error(`${where}:\n  ${this.faults.join("\n  ")}`);
  }
}

/** A page whose faults are watched. */
export async function open(context, watch) {
  const page = await context.newPage();
  watch.observe(page);
  await page.addInitScript(() => {
    globalThis.cspBreaches = [];
    document.addEventListener("securitypolicyviolation", (event) => {
      globalThis.cspBreaches.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
    });
  });
  return page;
}

export async function assertPolicyKept(page) {
  const breaches = await page.evaluate(() => globalThis.cspBreaches);
  if (breaches.length > 0) throw new Error(`content security policy breached on ${page.url()}: ${breaches.join("; ")}`);
}

/** Runs axe through the debugger, which the page's policy does not bind. */
export async function assertAccessible(page, where) {
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const options = JSON.stringify({ runOnly: rules });
  const { result } = await session.send("Runtime.evaluate", {
    expression: `axe.run(${options}).then((r) => JSON.stringify(r.violations.map((v) => v.id + " (" + v.help + "): " +
      v.nodes.slice(0, 3).map((n) => n.target.join(" ") + " – " + n.failureSummary).join(" | "))))`,
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  const violations = JSON.parse(result.value);
  if (violations.length > 0) throw new Error(`axe on ${where}:\n  ${violations.join("\n  ")}`);
}

export async function assertNoSidewaysScroll(page, where) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (over > 0) throw new Error(`${where} is ${over} px wider than the screen`);
}

export async function shot(page, name) {
  mkdirSync(out, { recursive: true });
  const file = path.join(out, `${name}.png`);
  await page.screenshot({ path: file });
  return file;
}
