/** What an event changes: pure functions from (what is shown, event) to what is to be shown. */

import type { Annotation, By, Envelope, Interaction, Run, RunDetail, RunStatus, Stage, ToolCall } from "../types";

const text = (value: unknown): string | null => (typeof value === "string" ? value : null);
export const terminal = (status: string): boolean => status === "completed" || status === "failed" || status === "cancelled";

/** A run as its first event describes it. */
export function runFrom(event: Envelope): Run {
  const data = event.data;
  const trigger = (data["trigger"] ?? {}) as Record<string, unknown>;
  return {
    id: event.runid,
    name: text(data["name"]) ?? event.runid,
    status: (text(data["status"]) ?? "pending") as RunStatus,
    attempt: event.attempt,
    head: event.runseq,
    trigger_source: text(trigger["source"]) ?? "",
    trigger_action: text(trigger["action"]) ?? "",
    actor: (data["actor"] as By | null) ?? null,
    stages: 0,
    annotations: 0,
    pending: 0,
    created_at: event.recordedtime,
    started_at: text(data["started_at"]),
    ended_at: text(data["ended_at"]),
  };
}

/**
 * A run after its next event. `seen` holds the stages counted so far where the run was followed from its beginning;
 * otherwise only the start of a stage shows that it is a new one.
 */
export function applyToRun<R extends Run>(run: R, event: Envelope, seen?: Set<string>): R {
  if (event.runseq <= run.head) return run;
  const next: R = { ...run, head: event.runseq };
  const data = event.data;
  if (event.type.startsWith("run:")) {
    const status = text(data["status"]);
    if (status) next.status = status as RunStatus;
    next.name = text(data["name"]) ?? next.name;
    next.attempt = event.attempt;
    next.started_at = text(data["started_at"]);
    next.ended_at = text(data["ended_at"]);
    for (const field of ["result", "error", "metadata", "input"] as const) {
      if (field in next && !event.trimmed?.includes(field)) (next as unknown as RunDetail)[field] = data[field] ?? null;
    }
  } else if (event.type === "annotation:created") next.annotations++;
  else if (event.type === "interaction:created") next.pending++;
  else if (event.type.startsWith("interaction:")) next.pending = Math.max(0, next.pending - 1);
  else if (event.type.startsWith("stage:")) {
    const key = `${event.attempt}/${String(data["id"])}`;
    if (seen ? !seen.has(key) : event.type === "stage:started") next.stages++;
    seen?.add(key);
  }
  return next;
}

/** What belongs to a run, with the last event each list contains. */
export interface Part<T> {
  items: T[];
  next: string | null;
  head: number;
}

const upsert = <T extends { id: string; attempt?: number }>(items: T[], item: T): T[] => {
  const at = items.findIndex((other) => other.id === item.id && other.attempt === item.attempt);
  return at < 0 ? [...items, item] : items.map((other, index) => (index === at ? { ...other, ...item } : other));
};

/** Fields the feed left out for their size keep what they had; `stale` is true if the run must be fetched again. */
function withoutTrimmed(event: Envelope): Record<string, unknown> {
  const data = { ...event.data };
  for (const name of event.trimmed ?? []) delete data[name];
  return data;
}

export const applyToStages = (items: Stage[], event: Envelope): Stage[] =>
  event.type.startsWith("stage:") ? upsert(items, withoutTrimmed(event) as unknown as Stage) : items;

export const applyToToolCalls = (items: ToolCall[], event: Envelope): ToolCall[] =>
  event.type.startsWith("tool_call:") ? upsert(items, withoutTrimmed(event) as unknown as ToolCall) : items;

export const applyToInteractions = (items: Interaction[], event: Envelope): Interaction[] =>
  event.type.startsWith("interaction:") ? upsert(items, withoutTrimmed(event) as unknown as Interaction) : items;

export function applyToAnnotations(items: Annotation[], event: Envelope): Annotation[] {
  if (event.type !== "annotation:created") return items;
  const data = event.data as unknown as Annotation;
  return upsert(items, { ...data, run_seq: event.runseq, recorded_at: event.time });
}
