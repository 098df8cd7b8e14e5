/** Asks the server; knows whether it, and the database behind it, are there. */

import { signal } from "@preact/signals";
import { parseJson } from "./exact";

export class Failure extends Error {
  constructor(
    readonly status: number,
    readonly what: string,
    readonly advice: string,
    readonly field: string | null = null,
  ) {
    super(what);
  }
  /** Whether asking again later may help. */
  get passing(): boolean {
    return this.status === 0 || this.status === 503;
  }
}

export type Reach = "ok" | "server-away" | "database-away";
export const reach = signal<Reach>("ok");

type Params = Record<string, string | number | readonly string[] | null | undefined>;

export async function get<T>(path: string, params: Params = {}): Promise<T> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === null || value === undefined || value === "") continue;
    if (typeof value === "object") for (const one of value) query.append(name, one);
    else query.set(name, String(value));
  }
  const suffix = query.size > 0 ? `?${query}` : "";
  return (await ask(`/api${path}${suffix}`, {})) as T;
}

export async function getText(path: string): Promise<string> {
  const response = await reached(`/api${path}`, {});
  if (!response.ok) throw await failure(response);
  return response.text();
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  return (await ask(`/api${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  })) as T;
}

async function ask(url: string, init: RequestInit): Promise<unknown> {
  const response = await reached(url, init);
  if (!response.ok) throw await failure(response);
  return parseJson(await response.text());
}

async function reached(url: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, signal: AbortSignal.timeout(15_000) });
  } catch {
    reach.value = "server-away";
    throw new Failure(0, "The dashboard's server does not answer.", "It is asked again every second.");
  }
  reach.value = response.status === 503 ? "database-away" : "ok";
  return response;
}

async function failure(response: Response): Promise<Failure> {
  try {
    const body = (await response.json()) as { what: string; advice: string; field: string | null };
    return new Failure(response.status, body.what, body.advice, body.field);
  } catch {
    return new Failure(response.status, `The server answered ${response.status}.`, "Look at its log.");
  }
}
