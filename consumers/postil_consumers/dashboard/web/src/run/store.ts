/** One run: its parts from the API, each followed live from the last event that it contains. */

import { batch, type Signal, signal } from "@preact/signals";
import { Failure, get } from "../api/client";
import type {
  Annotation,
  Envelope,
  Interaction,
  LoggedEvent,
  RunDetail,
  RunPage,
  Stage,
  ToolCall,
} from "../api/types";
import { feedReady, onFeed } from "../feed/feed";
import {
  applyToAnnotations,
  applyToInteractions,
  applyToRun,
  applyToStages,
  applyToToolCalls,
  type LoadedList,
} from "../feed/reducers";
import { runPath } from "../routing/run-ids";

/** Prefixes of the annotations that the trail shows. */
export const TRAIL = ["decision.", "approval.", "revision.", "failure.", "trigger."];
const isTrail = (key: string): boolean => TRAIL.some((prefix) => key.startsWith(prefix));

type PartName = "stages" | "annotations" | "trail" | "toolCalls" | "interactions" | "events";
const PATHS: Record<PartName, string> = {
  stages: "/stages",
  annotations: "/annotations",
  trail: "/annotations",
  toolCalls: "/tool-calls",
  interactions: "/interactions",
  events: "/events",
};
const PAGE = 200;

/** Loads a run and follows it. Call `close` when the view closes. */
export class RunStore {
  readonly run = signal<RunDetail | null>(null);
  readonly failed = signal<Failure | null>(null);
  readonly stages = signal<LoadedList<Stage> | null>(null);
  readonly annotations = signal<LoadedList<Annotation> | null>(null);
  /** Decisions, approvals, revisions and failures, loaded apart from the other annotations. */
  readonly trail = signal<LoadedList<Annotation> | null>(null);
  readonly toolCalls = signal<LoadedList<ToolCall> | null>(null);
  readonly interactions = signal<LoadedList<Interaction> | null>(null);
  /** The newest first. */
  readonly events = signal<LoadedList<LoggedEvent> | null>(null);

  #path: string;
  #requests = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #early: Envelope[] | null = null; // events that arrive while a load is under way
  #stop: () => void;

  constructor(readonly id: string) {
    this.#path = runPath(id);
    this.#stop = onFeed(
      (events) => {
        const mine = events.filter((event) => event.runid === id);
        if (mine.length > 0) this.#receive(mine);
      },
      () => void this.load(),
    );
    void this.load();
  }

  /** Stops following the run. */
  close(): void {
    this.#requests++;
    clearTimeout(this.#retry);
    this.#stop();
  }

  /** Loads every part again. */
  async load(): Promise<void> {
    const mine = ++this.#requests;
    clearTimeout(this.#retry);
    this.#early = [];
    try {
      await feedReady;
      const [run, stages, annotations, trail, toolCalls, interactions, events] = await Promise.all([
        get<RunDetail>(this.#path),
        this.#page<Stage>("stages"),
        this.#page<Annotation>("annotations"),
        this.#page<Annotation>("trail"),
        this.#page<ToolCall>("toolCalls"),
        this.#page<Interaction>("interactions"),
        this.#page<LoggedEvent>("events"),
      ]);
      if (mine !== this.#requests) return;
      batch(() => {
        this.run.value = run;
        this.stages.value = stages;
        this.annotations.value = annotations;
        this.trail.value = trail;
        this.toolCalls.value = toolCalls;
        this.interactions.value = interactions;
        this.events.value = events;
        this.failed.value = null;
        const early = this.#early ?? [];
        this.#early = null;
        this.#receive(early);
      });
    } catch (error) {
      if (mine !== this.#requests) return;
      const failure = error instanceof Failure ? error : new Failure(-1, String(error), "Reload the page.");
      this.failed.value = failure;
      if (failure.isTransient) this.#retry = setTimeout(() => void this.load(), 1200);
    }
  }

  /** Loads the next page of a part. */
  async more(name: PartName): Promise<void> {
    const part = this[name] as Signal<LoadedList<{ id: string }> | null>;
    const shown = part.value;
    if (!shown?.next) return;
    const page = await this.#page<{ id: string }>(name, shown.next);
    const now = part.value;
    if (!now) return;
    const loaded = new Set(now.items.map((item) => item.id));
    part.value = {
      ...now,
      items: [...now.items, ...page.items.filter((item) => !loaded.has(item.id))],
      next: page.next,
    };
  }

  #page<T>(name: PartName, cursor: string | null = null): Promise<RunPage<T>> {
    const more = name === "trail" ? { prefix: TRAIL } : name === "events" ? { order: "newest" } : {};
    return get<RunPage<T>>(this.#path + PATHS[name], { limit: PAGE, cursor, ...more });
  }

  #receive(events: Envelope[]): void {
    this.#early?.push(...events);
    if (!this.run.value || this.#early) return;
    for (const event of events) {
      const last = Math.min(
        this.run.value.head,
        ...[this.stages, this.annotations, this.events].map((p) => p.value?.head ?? 0),
      );
      if (event.runseq <= last) continue;
      if (event.trimmed || event.runseq > last + 1) {
        void this.load(); // an event is missing or too large for the feed: load the run
        return;
      }
      this.run.value = applyToRun(this.run.value, event);
      fold(this.stages, event, applyToStages);
      fold(this.annotations, event, applyToAnnotations);
      fold(this.trail, event, (items, next) =>
        isTrail(String(next.data.key)) ? applyToAnnotations(items, next) : items,
      );
      fold(this.toolCalls, event, applyToToolCalls);
      fold(this.interactions, event, applyToInteractions);
      fold(this.events, event, (items, next) => [logged(next), ...items]);
    }
  }
}

/** Applies an event to a loaded list. A new item is added only if the list is loaded to its end, else its place would be wrong. */
function fold<T extends { id: string }>(
  part: Signal<LoadedList<T> | null>,
  event: Envelope,
  apply: (items: T[], event: Envelope) => T[],
): void {
  const shown = part.value;
  if (!shown || event.runseq <= shown.head) return;
  const items = apply(shown.items, event);
  const outOfPlace = shown.next !== null && items.length > shown.items.length && items[0] === shown.items[0];
  part.value = { ...shown, head: event.runseq, items: outOfPlace ? shown.items : items };
}

const logged = (event: Envelope): LoggedEvent => ({
  id: event.id,
  run_seq: event.runseq,
  type: event.type,
  subject: event.subject,
  attempt: event.attempt,
  recorded_at: event.time,
  created_at: event.recordedtime,
  data: event.data,
});
