/** The types of the API: those of its schema, and what the page adds to them. */

import type { FeedEnvelope, Run } from "./schema";

export type {
  Actor,
  Annotation,
  Interaction,
  LoggedEvent,
  PipelineState,
  Run,
  RunDetail,
  Session,
  Stage,
  ToolCall,
  WaitingInteraction,
} from "./schema";

export type RunStatus = Run["status"];

/** The statuses in the order in which the filter shows them. */
export const RUN_STATUSES: readonly RunStatus[] = [
  "running",
  "waiting_for_interaction",
  "failed",
  "pending",
  "completed",
  "cancelled",
];

/** One page of a list; `next` is the cursor of the following page, null on the last one. */
export interface Page<T> {
  items: T[];
  next: string | null;
}

/** A page of what belongs to a run; `head` is the run's last run_seq in the same snapshot. */
export interface RunPage<T> extends Page<T> {
  head: number;
}

/** An event as the feed sends it. */
export type Envelope = FeedEnvelope;
