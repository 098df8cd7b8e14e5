/** What an event changes: pure functions from what is shown and an event to what is shown next. */

import type {
  Actor,
  Annotation,
  Envelope,
  Interaction,
  Run,
  RunDetail,
  RunStatus,
  Stage,
  ToolCall,
} from "../api/types";

const text = (value: unknown): string | null => (typeof value === "string" ? value : null);
/** Whether a run with this status has ended. */
export const isTerminal = (status: string): boolean =>
  status === "completed" || status === "failed" || status === "cancelled";

/** Returns the run that its first event describes. */
export function runFrom(event: Envelope): Run {
  const data = event.data;
  const trigger = (data.trigger ?? {}) as Record<string, unknown>;
  return {
    id: event.runid,
    name: text(data.name) ?? event.runid,
    status: (text(data.status) ?? "pending") as RunStatus,
    attempt: event.attempt,
    head: event.runseq,
    trigger_source: text(trigger.source) ?? "",
    trigger_action: text(trigger.action) ?? "",
    actor: (data.actor as Actor | null) ?? null,
    stages: 0,
    annotations: 0,
    pending: 0,
    created_at: event.recordedtime,
    started_at: text(data.started_at),
    ended_at: text(data.ended_at),
  };
}

/**
 * Returns a run after its next event. `seen` holds the stages counted so far, if the run was followed from its
 * beginning; without it, only the start of a stage counts as a new stage.
 */
export function applyToRun<R extends Run>(run: R, event: Envelope, seen?: Set<string>): R {
  if (event.runseq <= run.head) return run;
  const next: R = { ...run, head: event.runseq };
  const data = event.data;
  if (event.type.startsWith("run:")) {
    const status = text(data.status);
    if (status) next.status = status as RunStatus;
    next.name = text(data.name) ?? next.name;
    next.attempt = event.attempt;
    next.started_at = text(data.started_at);
    next.ended_at = text(data.ended_at);
    for (const field of ["result", "error", "metadata", "input"] as const) {
      if (field in next && !event.trimmed?.includes(field))
        (next as unknown as RunDetail)[field] = data[field] ?? null;
    }
  } else if (event.type === "annotation:created") next.annotations++;
  else if (event.type === "interaction:created") next.pending++;
  else if (event.type.startsWith("interaction:")) next.pending = Math.max(0, next.pending - 1);
  else if (event.type.startsWith("stage:")) {
    const key = `${event.attempt}/${String(data.id)}`;
    if (seen ? !seen.has(key) : event.type === "stage:started") next.stages++;
    seen?.add(key);
  }
  return next;
}

/** The loaded part of a list of a run; `head` is the run_seq of the last event that it contains. */
export interface LoadedList<T> {
  items: T[];
  next: string | null;
  head: number;
}

const upsert = <T extends { id: string; attempt?: number }>(items: T[], item: T): T[] => {
  const at = items.findIndex((other) => other.id === item.id && other.attempt === item.attempt);
  return at < 0
    ? [...items, item]
    : items.map((other, index) => (index === at ? { ...other, ...item } : other));
};

/** Returns the data of an event without the fields that the feed left out: these keep their old values. */
function withoutTrimmed(event: Envelope): Record<string, unknown> {
  const data = { ...event.data };
  for (const name of event.trimmed ?? []) delete data[name];
  return data;
}

/** Returns the stages of a run after an event. */
export const applyToStages = (items: Stage[], event: Envelope): Stage[] =>
  event.type.startsWith("stage:") ? upsert(items, withoutTrimmed(event) as unknown as Stage) : items;

/** Returns the tool calls of a run after an event. */
export const applyToToolCalls = (items: ToolCall[], event: Envelope): ToolCall[] =>
  event.type.startsWith("tool_call:") ? upsert(items, withoutTrimmed(event) as unknown as ToolCall) : items;

/** Returns the interactions of a run after an event. */
export const applyToInteractions = (items: Interaction[], event: Envelope): Interaction[] =>
  event.type.startsWith("interaction:")
    ? upsert(items, withoutTrimmed(event) as unknown as Interaction)
    : items;

/** Returns the annotations of a run after an event. */
export function applyToAnnotations(items: Annotation[], event: Envelope): Annotation[] {
  if (event.type !== "annotation:created") return items;
  const data = event.data as unknown as Annotation;
  return upsert(items, { ...data, run_seq: event.runseq, recorded_at: event.time });
}
