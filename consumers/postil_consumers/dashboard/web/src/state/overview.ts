/** What every view's frame shows: totals, what waits for a person, the pipeline's health, and whose page this is. */

import { effect, signal } from "@preact/signals";
import { Failure, get, post, reach } from "../api";
import { runPath, toSegment } from "../address";
import { feedReady, onFeed } from "../feed/feed";
import { view } from "../router";
import type { Envelope, Interaction, Page, PipelineState, RunStatus, Session, Waiting } from "../types";

export const totals = signal<Record<RunStatus, number> | null>(null);
export const waiting = signal<Page<Waiting> | null>(null);
export const waitingFailed = signal<Failure | null>(null);
export const pipeline = signal<PipelineState | null>(null);
export const session = signal<Session | null>(null);
export const who = signal(stored("postil.who") ?? "");

/** The outcome of each answer sent from this page, so that a card can show it before the feed does. */
export const answered = signal<ReadonlyMap<string, string>>(new Map());
/** Questions that were open on this page and ended, from here or elsewhere: they stay visible with their outcome. */
export const settled = signal<ReadonlyMap<string, Interaction>>(new Map());

export const keyOf = (runId: string, id: string): string => `${toSegment(runId)}/${toSegment(id)}`;

/** Every question that was open on this page: the list drops one as soon as it ends, which may be before the feed reports it. */
const seen = new Set<string>();
effect(() => {
  for (const one of waiting.value?.items ?? []) seen.add(keyOf(one.run_id, one.id));
});

/** Runs `task` soon, at most once per `ms`, the last call included; tries again while the server is away. */
function steadily(task: () => Promise<void>, ms: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ranAt = 0;
  const soon = (): void => {
    timer ??= setTimeout(async () => {
      timer = undefined;
      ranAt = Date.now();
      try {
        await task();
      } catch (error) {
        if (error instanceof Failure && error.passing) soon();
      }
    }, Math.max(0, ranAt + ms - Date.now()));
  };
  return soon;
}

const freshenTotals = steadily(async () => {
  totals.value = await get<Record<RunStatus, number>>("/totals");
}, 1200);

export const freshenWaiting = steadily(async () => {
  try {
    waiting.value = await get<Page<Waiting>>("/waiting", { limit: 50 });
    waitingFailed.value = null;
  } catch (error) {
    if (error instanceof Failure) waitingFailed.value = error;
    throw error;
  }
}, 600);

export async function moreWaiting(): Promise<void> {
  const shown = waiting.value;
  if (!shown?.next) return;
  const page = await get<Page<Waiting>>("/waiting", { limit: 50, cursor: shown.next });
  waiting.value = { items: [...shown.items, ...page.items], next: page.next };
}

async function freshenPipeline(): Promise<void> {
  try {
    pipeline.value = await get<PipelineState>("/pipeline");
  } catch {
    // `reach` shows the failure on every view
  }
}

export async function answer(runId: string, id: string, body: { outcome?: "accept" | "decline"; note?: string; answer?: unknown }): Promise<void> {
  await post(`${runPath(runId)}/interactions/${toSegment(id)}/resolve`, { who: who.value.trim() || session.value?.user || "user", ...body });
  const outcome = body.outcome === "accept" ? "Accepted" : body.outcome === "decline" ? "Declined" : "Answered";
  answered.value = new Map([...answered.value, [keyOf(runId, id), outcome]]);
  freshenWaiting();
}

function settle(events: Envelope[]): void {
  const ended = events.filter((event) => event.type === "interaction:resolved" || event.type === "interaction:cancelled");
  const known = ended.filter((event) => seen.has(keyOf(event.runid, String(event.data["id"]))));
  if (known.length === 0) return;
  const next = new Map(settled.value);
  for (const event of known) next.set(keyOf(event.runid, String(event.data["id"])), event.data as unknown as Interaction);
  settled.value = next;
}

export function startOverview(): void {
  onFeed(
    (events) => {
      if (events.some((event) => event.type.startsWith("run:"))) freshenTotals();
      settle(events);
      if (events.some((event) => event.type.startsWith("interaction:") || event.type === "run:cancelled")) freshenWaiting();
    },
    () => {
      freshenTotals();
      freshenWaiting();
    },
  );
  void feedReady.then(() => {
    freshenTotals();
    freshenWaiting();
  });
  steadily(async () => {
    session.value = await get<Session>("/session");
    who.value ||= session.value.user;
  }, 1000)();
  void freshenPipeline();
  let beat = 0;
  setInterval(() => {
    if (document.hidden) return;
    beat++;
    if (reach.value !== "ok" || view.value.name === "pipeline" ? beat % 2 === 0 : beat % 5 === 0) void freshenPipeline();
  }, 1000);
  effect(() => {
    if (view.value.name === "pipeline") void freshenPipeline();
  });
  effect(() => {
    try {
      localStorage.setItem("postil.who", who.value);
    } catch {
      // Storage is off: the name lasts as long as the page.
    }
  });
}

function stored(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}
