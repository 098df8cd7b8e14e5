/** The live feed of the page: its state, its events, and resets after missed events. */

import { batch, signal } from "@preact/signals";
import { parseJson } from "../api/lossless-json";
import type { Envelope } from "../api/types";
import { Connection, type FeedMessage, type FeedState } from "./connection";
import workerUrl from "./worker?sharedworker&url";

export const feedState = signal<FeedState>("connecting");
let released = false;
const listeners = new Set<OnEvents>();
const resets = new Set<() => void>();
/** When the feed was lost, in milliseconds since 1970; null while it is connected. */
export const feedLostAt = signal<number | null>(null);

/** Resolves when the feed is live, so that data loaded afterwards misses no event; or after 700 ms. */
export const feedReady: Promise<void> = new Promise((resolve) => {
  const timer = setTimeout(() => release(), 700);
  const release = (): void => {
    clearTimeout(timer);
    released = true;
    resolve();
  };
  const stop = feedState.subscribe((state) => {
    if (state !== "live") return;
    // Data that was loaded before the feed was live may lack later events.
    if (released) for (const reset of resets) reset();
    release();
    queueMicrotask(() => stop());
  });
});

type OnEvents = (events: Envelope[]) => void;

/** Calls the listener for each event, in order, and for each reset. Returns a function that ends this. */
export function onFeed(events: OnEvents, reset: () => void): () => void {
  listeners.add(events);
  resets.add(reset);
  return () => {
    listeners.delete(events);
    resets.delete(reset);
  };
}

function receive(message: FeedMessage): void {
  batch(() => {
    if (message.kind === "state") {
      feedState.value = message.state;
      if (message.state !== "lost") feedLostAt.value = null;
      else feedLostAt.value ??= Date.now();
    } else if (message.kind === "reset") {
      for (const reset of resets) reset();
    } else {
      const events = message.events.map((text) => parseJson(text) as Envelope);
      for (const listener of listeners) listener(events);
    }
  });
}

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL: (url: string) => string };
}

/** Connects to the feed, through a worker that all tabs share if the browser has such workers. */
export function startFeed(): void {
  if (typeof SharedWorker === "undefined") {
    new Connection(receive).open();
    return;
  }
  const trusted = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  const policy = trusted?.createPolicy("postil-feed", { createScriptURL: (url) => url });
  const worker = new SharedWorker(policy ? policy.createScriptURL(workerUrl) : workerUrl, {
    type: "module",
    name: "postil-feed",
  });
  worker.port.onmessage = (event: MessageEvent<FeedMessage>) => receive(event.data);
  addEventListener("pagehide", () => worker.port.postMessage("gone"));
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload(); // restored from the browser's page cache, without its worker
  });
}
