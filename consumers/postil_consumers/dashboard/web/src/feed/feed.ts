/** The feed as the page sees it: its state, its events, and the word that something was missed. */

import { batch, signal } from "@preact/signals";
import { parseJson } from "../exact";
import type { Envelope } from "../types";
import { Line, type FeedState, type FromLine } from "./line";
import workerUrl from "./worker?sharedworker&url";

export const feedState = signal<FeedState>("connecting");
let released = false;
const listeners = new Set<OnEvents>();
const resets = new Set<() => void>();
/** When the feed was last seen to be up to date. */
export const feedLostAt = signal<number | null>(null);

/** Resolves once the feed is live, so that what is loaded afterwards misses nothing, or when it takes too long. */
export const feedReady: Promise<void> = new Promise((resolve) => {
  const timer = setTimeout(() => release(), 700);
  const release = (): void => {
    clearTimeout(timer);
    released = true;
    resolve();
  };
  const stop = feedState.subscribe((state) => {
    if (state !== "live") return;
    // What was loaded before the line was up may lack what happened in between.
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

function receive(message: FromLine): void {
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
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): { createScriptURL: (url: string) => string };
}

export function startFeed(): void {
  if (typeof SharedWorker === "undefined") {
    new Line(receive).open();
    return;
  }
  const trusted = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  const policy = trusted?.createPolicy("postil-feed", { createScriptURL: (url) => url });
  const worker = new SharedWorker(policy ? policy.createScriptURL(workerUrl) : workerUrl, { type: "module", name: "postil-feed" });
  worker.port.onmessage = (event: MessageEvent<FromLine>) => receive(event.data);
  addEventListener("pagehide", () => worker.port.postMessage("gone"));
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload(); // brought back from the cache of whole pages, without its line
  });
}
