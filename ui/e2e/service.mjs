// A service with the admin endpoints of an instance, on Node's HTTP server. It keeps what it takes in memory, and can be
// changed behind Drover's back, or told to refuse.
import { createHash } from "node:crypto";
import { createServer } from "node:http";

/** Python's json.dumps(value, sort_keys=True), for texts of ASCII and whole numbers. */
function pythonJson(value) {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(", ")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}: ${pythonJson(value[key])}`);
  return `{${members.join(", ")}}`;
}

const digest = (value) => createHash("sha256").update(pythonJson(value)).digest("hex").slice(0, 16);

export class Service {
  holds = {};
  /** Set: every update is refused with these words. */
  refusal = undefined;
  token;
  #server;

  constructor(token) {
    this.token = token;
  }

  async start() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
    return this;
  }

  async stop() {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request, response) {
    const send = (status, body) => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (request.headers.authorization !== `Bearer ${this.token}`) return send(401, { detail: "Authentication required" });
    const route = `${request.method} ${new URL(request.url, this.url).pathname}`;
    const versions = Object.fromEntries(Object.entries(this.holds).map(([type, config]) => [`${type}_version`, digest(config)]));
    switch (route) {
      case "GET /admin/instance-info":
        return send(200, { instance_id: "e2e", hostname: "localhost", version: "1.0", uptime_seconds: 1, config_version: versions });
      case "GET /admin/config-version":
        return send(200, { ...versions, last_reload: null });
      case "POST /admin/config-update":
        return this.#update(await body(request), send);
    }
    return send(404, { detail: "Not Found" });
  }

  #update({ type, config, version }, send) {
    const answer = { details: null, timestamp: new Date().toISOString(), instance_id: "e2e", version };
    if (this.refusal) return send(400, { ...answer, status: "error", error: this.refusal });
    this.holds[type] = config;
    return send(200, { ...answer, status: "success", error: null });
  }
}

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}
