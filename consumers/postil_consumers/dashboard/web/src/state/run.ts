/** One run: its parts from the API, each followed live from the very event it contains. */

import { batch, signal, type Signal } from "@preact/signals";
import { Failure, get } from "../api";
import { runPath } from "../address";
import { feedReady, onFeed } from "../feed/feed";
import type { Annotation, Envelope, Interaction, LoggedEvent, RunDetail, RunPage, Stage, ToolCall } from "../types";
import { applyToAnnotations, applyToInteractions, applyToRun, applyToStages, applyToToolCalls, type Part } from "./apply";

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

export class RunStore {
  readonly run = signal<RunDetail | null>(null);
  readonly failed = signal<Failure | null>(null);
  readonly stages = signal<Part<Stage> | null>(null);
  readonly annotations = signal<Part<Annotation> | null>(null);
  /** Decisions, approvals, revisions and failures, however many other annotations there are. */
  readonly trail = signal<Part<Annotation> | null>(null);
  readonly toolCalls = signal<Part<ToolCall> | null>(null);
  readonly interactions = signal<Part<Interaction> | null>(null);
  /** The newest first. */
  readonly events = signal<Part<LoggedEvent> | null>(null);

  #path: string;
  #asked = 0;
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

  close(): void {
    this.#asked++;
    clearTimeout(this.#retry);
    this.#stop();
  }

  async load(): Promise<void> {
    const mine = ++this.#asked;
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
      if (mine !== this.#asked) return;
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
      if (mine !== this.#asked) return;
      const failure = error instanceof Failure ? error : new Failure(-1, String(error), "Reload the page.");
      this.failed.value = failure;
      if (failure.passing) this.#retry = setTimeout(() => void this.load(), 1200);
    }
  }

  async more(name: PartName): Promise<void> {
    const part = this[name] as Signal<Part<{ id: string }> | null>;
    const shown = part.value;
    if (!shown?.next) return;
    const page = await this.#page<{ id: string }>(name, shown.next);
    const now = part.value;
    if (!now) return;
    const known = new Set(now.items.map((item) => item.id));
    part.value = { ...now, items: [...now.items, ...page.items.filter((item) => !known.has(item.id))], next: page.next };
  }

  #page<T>(name: PartName, cursor: string | null = null): Promise<RunPage<T>> {
    const more = name === "trail" ? { prefix: TRAIL } : name === "events" ? { order: "newest" } : {};
    return get<RunPage<T>>(this.#path + PATHS[name], { limit: PAGE, cursor, ...more });
  }

  #receive(events: Envelope[]): void {
    this.#early?.push(...events);
    if (!this.run.value || this.#early) return;
    for (const event of events) {
      const last = Math.min(this.run.value.head, ...[this.stages, this.annotations, this.events].map((p) => p.value?.head ?? 0));
      if (event.trimmed || event.runseq > last + 1) {
        void this.load(); // something is missing, or too large for the feed: look at the whole
        return;
      }
      this.run.value = applyToRun(this.run.value, event);
      fold(this.stages, event, applyToStages);
      fold(this.annotations, event, applyToAnnotations);
      fold(this.trail, event, (items, one) => (isTrail(String(one.data["key"])) ? applyToAnnotations(items, one) : items));
      fold(this.toolCalls, event, applyToToolCalls);
      fold(this.interactions, event, applyToInteractions);
      fold(this.events, event, (items, one) => [logged(one), ...items]);
    }
  }
}

/** Items beyond the pages loaded so far are not shown out of place: only where all is loaded may new ones be added. */
function fold<T extends { id: string }>(
  part: Signal<Part<T> | null>,
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
