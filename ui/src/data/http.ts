// One way to the API. It remembers three things across calls: the newest index this browser has written at (so that a
// load balancer never shows older data than one's own change), the idempotency key of a write whose outcome is not
// known yet, and whether the last answer was served without a leader.

import type { Problem } from "./types";

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly requestId: string;
  readonly pointer?: string;
  readonly problems: Problem[];
  readonly retryAfter?: number;

  constructor(init: {
    status: number;
    code: string;
    title: string;
    detail: string;
    requestId?: string;
    pointer?: string;
    problems?: Problem[];
    retryAfter?: number;
  }) {
    super(init.detail || init.title);
    this.status = init.status;
    this.code = init.code;
    this.title = init.title;
    this.requestId = init.requestId ?? "";
    this.pointer = init.pointer;
    this.problems = init.problems ?? [];
    this.retryAfter = init.retryAfter;
  }
}

/** What the API says of one place of what was sent, such as "/labels"; what lies below it counts. */
export function saidOf(error: Error | null, pointer: string): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  const within = (p: string | undefined) => p === pointer || p?.startsWith(`${pointer}/`);
  if (within(error.pointer)) return error.message;
  return error.problems.find((p) => within(p.pointer))?.message;
}

/** What answers tell about the cluster, for the chip in the header. */
export const answered = {
  staleSeconds: undefined as number | undefined,
  listener: undefined as ((stale: number | undefined) => void) | undefined,
  unauthorized: undefined as (() => void) | undefined,
};

let writtenAt = "";
const openWrites = new Map<string, string>();
const requestTimeout = 30_000;

/** A name in a path: "/" becomes %2F and is decoded once by the server. */
export const seg = encodeURIComponent;

export function query(params: Record<string, string | number | boolean | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}

export async function getText(path: string, signal?: AbortSignal): Promise<string> {
  return (await call("GET", path, undefined, {}, signal)).text;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return JSON.parse(await getText(path, signal)) as T;
}

export type Method = "POST" | "PUT" | "PATCH" | "DELETE";

/** Sends a write. A body given as a string is JSON text and is sent as it is. */
export async function send<T>(
  method: Method,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<T> {
  const text = await sendText(method, path, body, headers);
  return (text ? JSON.parse(text) : undefined) as T;
}

/** As send, with the text of the answer. */
export async function sendText(
  method: Method,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<string> {
  const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
  const operation = `${method} ${path}\n${text ?? ""}`;
  const key = openWrites.get(operation) ?? randomKey();
  openWrites.set(operation, key);
  try {
    const answer = await call(method, path, text, { "Idempotency-Key": key, ...headers });
    openWrites.delete(operation);
    if (answer.index) writtenAt = answer.index;
    return answer.text;
  } catch (error) {
    // Only an answer that says "not done" ends the operation; a repeat of anything else must not happen twice.
    if (error instanceof ApiError && error.status >= 400 && error.status < 500) openWrites.delete(operation);
    throw error;
  }
}

async function call(
  method: string,
  path: string,
  body: string | undefined,
  headers: Record<string, string>,
  signal?: AbortSignal,
): Promise<{ text: string; index: string }> {
  const timeout = AbortSignal.timeout(requestTimeout);
  const init: RequestInit = {
    method,
    headers: { Accept: "application/json", ...headers },
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    credentials: "same-origin",
  };
  const sent = init.headers as Record<string, string>;
  if (body !== undefined) {
    init.body = body;
    sent["Content-Type"] ??= "application/json";
  }
  if (writtenAt && method === "GET") sent["Drover-Index"] = writtenAt;

  let response: Response;
  let text: string;
  try {
    response = await fetch(`/api/v1${path}`, init);
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    const slow = timeout.aborted;
    throw new ApiError({
      status: 0,
      code: slow ? "timeout" : "unreachable",
      title: slow ? "No answer" : "The controller cannot be reached",
      detail: slow
        ? `No answer within ${requestTimeout / 1000} s. Try again; a write is not repeated twice.`
        : "Check that the controller runs and that this machine reaches it.",
    });
  }
  noteStale(response);
  if (!response.ok) throw problem(response, text, path);
  return { text, index: response.headers.get("Drover-Index") ?? "" };
}

function noteStale(response: Response) {
  const header = response.headers.get("Drover-Stale");
  const stale = header === null ? undefined : Number(header) || 0;
  if (stale === answered.staleSeconds) return;
  answered.staleSeconds = stale;
  answered.listener?.(stale);
}

function problem(response: Response, text: string, path: string): ApiError {
  let body: Record<string, unknown> = {};
  try {
    body = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // A proxy's page: the status line must do.
  }
  if (response.status === 401 && path !== "/login") answered.unauthorized?.();
  const string = (key: string) => (typeof body[key] === "string" ? (body[key] as string) : "");
  return new ApiError({
    status: response.status,
    code: string("code") || `http_${response.status}`,
    title: string("title") || response.statusText || `Status ${response.status}`,
    detail: string("detail"),
    requestId: string("request_id") || response.headers.get("X-Request-Id") || "",
    pointer: string("pointer") || undefined,
    problems: Array.isArray(body.problems) ? (body.problems as Problem[]) : [],
    retryAfter: Number(response.headers.get("Retry-After")) || undefined,
  });
}

/** 128 random bits; crypto.randomUUID exists only in secure contexts, and a controller may be served without TLS. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
