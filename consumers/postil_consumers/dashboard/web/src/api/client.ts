/** Sends requests to the server, and records whether the server and its database reply. */

import { signal } from "@preact/signals";
import { parseJson } from "./lossless-json";

/** A request that failed; `status` is 0 if the server did not reply, else the HTTP status. */
export class Failure extends Error {
  constructor(
    readonly status: number,
    readonly what: string,
    readonly advice: string,
    readonly field: string | null = null,
  ) {
    super(what);
  }
  /** Whether a later request may succeed. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 503;
  }
}

/** Which part of the way to the data does not reply. */
export type Reachability = "ok" | "server-away" | "database-away";
export const reachability = signal<Reachability>("ok");

type Params = Record<string, string | number | readonly string[] | null | undefined>;

/** Returns the JSON of a GET request. Raises `Failure`. */
export async function get<T>(path: string, params: Params = {}): Promise<T> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === null || value === undefined || value === "") continue;
    if (typeof value === "object") for (const item of value) query.append(name, item);
    else query.set(name, String(value));
  }
  const suffix = query.size > 0 ? `?${query}` : "";
  return (await requestJson(`/api${path}${suffix}`, {})) as T;
}

/** Returns the body of a GET request as it was sent. Raises `Failure`. */
export async function getText(path: string): Promise<string> {
  const response = await request(`/api${path}`, {});
  if (!response.ok) throw await failureOf(response);
  return response.text();
}

/** Returns the JSON of a POST request. Raises `Failure`. */
export async function post<T>(path: string, body: unknown): Promise<T> {
  return (await requestJson(`/api${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  })) as T;
}

async function requestJson(url: string, init: RequestInit): Promise<unknown> {
  const response = await request(url, init);
  if (!response.ok) throw await failureOf(response);
  return parseJson(await response.text());
}

async function request(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(15_000) });
  } catch {
    reachability.value = "server-away";
    throw new Failure(0, "The dashboard's server does not respond.", "The page tries again every second.");
  }
  reachability.value = response.status === 503 ? "database-away" : "ok";
  return response;
}

async function failureOf(response: Response): Promise<Failure> {
  try {
    const body = (await response.json()) as { what: string; advice: string; field: string | null };
    return new Failure(response.status, body.what, body.advice, body.field);
  } catch {
    return new Failure(
      response.status,
      `The server responded with status ${response.status}.`,
      "See its log.",
    );
  }
}
