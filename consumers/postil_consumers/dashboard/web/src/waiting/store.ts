/** The questions that wait for a person, and how they are answered. */

import { effect, signal } from "@preact/signals";
import { Failure, get, post } from "../api/client";
import { atMostEvery } from "../api/refresh";
import { session, userName } from "../api/session";
import type { Envelope, Interaction, Page, WaitingInteraction } from "../api/types";
import { feedReady, onFeed } from "../feed/feed";
import { runPath, toSegment } from "../routing/run-ids";

/** The pending questions, the oldest first; null until they are loaded. */
export const waiting = signal<Page<WaitingInteraction> | null>(null);
export const waitingFailed = signal<Failure | null>(null);

/** The outcome of each answer sent from this page, so that a card can show it before the feed does. */
export const answered = signal<ReadonlyMap<string, string>>(new Map());
/** Questions that were pending on this page and ended, here or elsewhere: they stay visible with their outcome. */
export const settled = signal<ReadonlyMap<string, Interaction>>(new Map());

/** Returns the key of a question among those of all runs. */
export const keyOf = (runId: string, id: string): string => `${toSegment(runId)}/${toSegment(id)}`;

/** Every question that was pending on this page: the list drops one when it ends, which may be before the feed reports it. */
const seen = new Set<string>();
effect(() => {
  for (const question of waiting.value?.items ?? []) seen.add(keyOf(question.run_id, question.id));
});

/** Loads the questions again. */
export const refreshWaiting = atMostEvery(async () => {
  try {
    waiting.value = await get<Page<WaitingInteraction>>("/waiting", { limit: 50 });
    waitingFailed.value = null;
  } catch (error) {
    if (error instanceof Failure) waitingFailed.value = error;
    throw error;
  }
}, 600);

/** Loads the next page of the questions. */
export async function moreWaiting(): Promise<void> {
  const shown = waiting.value;
  if (!shown?.next) return;
  const page = await get<Page<WaitingInteraction>>("/waiting", { limit: 50, cursor: shown.next });
  waiting.value = { items: [...shown.items, ...page.items], next: page.next };
}

/** Sends an answer as the user of the page. Raises `Failure`. */
export async function answer(
  runId: string,
  id: string,
  body: { outcome?: "accept" | "decline"; note?: string; answer?: unknown },
): Promise<void> {
  await post(`${runPath(runId)}/interactions/${toSegment(id)}/resolve`, {
    who: userName.value.trim() || session.value?.user || "user",
    ...body,
  });
  const outcome =
    body.outcome === "accept" ? "Accepted" : body.outcome === "decline" ? "Declined" : "Answered";
  answered.value = new Map([...answered.value, [keyOf(runId, id), outcome]]);
  refreshWaiting();
}

function settle(events: Envelope[]): void {
  const ended = events.filter(
    (event) => event.type === "interaction:resolved" || event.type === "interaction:cancelled",
  );
  const known = ended.filter((event) => seen.has(keyOf(event.runid, String(event.data.id))));
  if (known.length === 0) return;
  const next = new Map(settled.value);
  for (const event of known)
    next.set(keyOf(event.runid, String(event.data.id)), event.data as unknown as Interaction);
  settled.value = next;
}

/** Loads the questions, and again after each event that changes one. */
export function startWaiting(): void {
  onFeed((events) => {
    settle(events);
    if (events.some((event) => event.type.startsWith("interaction:") || event.type === "run:cancelled"))
      refreshWaiting();
  }, refreshWaiting);
  void feedReady.then(refreshWaiting);
}
