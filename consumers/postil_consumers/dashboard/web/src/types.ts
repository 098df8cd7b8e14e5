/** What the API returns. */

export type Json = unknown;
export type RunStatus = "pending" | "running" | "waiting_for_interaction" | "completed" | "failed" | "cancelled";

export const RUN_STATUSES: readonly RunStatus[] = [
  "running",
  "waiting_for_interaction",
  "failed",
  "pending",
  "completed",
  "cancelled",
];

export interface By {
  kind: string;
  id: string;
  version: string | null;
}

export interface Run {
  id: string;
  name: string;
  status: RunStatus;
  attempt: number;
  head: number;
  trigger_source: string;
  trigger_action: string;
  actor: By | null;
  stages: number;
  annotations: number;
  pending: number;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
}

export interface RunDetail extends Run {
  parent_id: string | null;
  root_id: string;
  depth: number;
  replay_of: string | null;
  schedule_id: string | null;
  root_source: string;
  root_schedule_id: string | null;
  tool_calls: number;
  interactions: number;
  input: Json;
  result: Json;
  error: Json;
  metadata: Json;
  recorded_at: string;
}

export interface Stage {
  id: string;
  name: string;
  status: string;
  attempt: number;
  actor: By | null;
  result: Json;
  error: Json;
  started_at: string;
  ended_at: string | null;
}

export interface Annotation {
  id: string;
  run_seq: number;
  attempt: number;
  try: number | null;
  stage_id: string | null;
  group_id: string;
  scope: string;
  scope_id: string | null;
  actor: By | null;
  key: string;
  value: Json;
  payload: Json;
  recorded_at: string;
}

export interface ToolCall {
  id: string;
  kind: string;
  name: string;
  status: string;
  attempt: number;
  stage_id: string | null;
  actor: By | null;
  arguments: Json;
  result: Json;
  error: Json;
  started_at: string;
  ended_at: string | null;
  duration_ms: number | null;
}

export interface Interaction {
  id: string;
  kind: string;
  prompt: string;
  assignee: string | null;
  status: string;
  attempt: number;
  stage_id: string | null;
  answer: Json;
  actor: By | null;
  asked_at: string;
  ended_at: string | null;
}

export interface Waiting extends Interaction {
  run_id: string;
  run_name: string;
}

export interface LoggedEvent {
  id: string;
  run_seq: number;
  type: string;
  subject: string;
  attempt: number;
  recorded_at: string;
  created_at: string;
  data: Json;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface RunPage<T> extends Page<T> {
  head: number;
}

/** An event as the feed brings it: the CloudEvent of the log; `trimmed` names fields left out for their size. */
export interface Envelope {
  id: string;
  type: string;
  subject: string;
  time: string;
  recordedtime: string;
  runid: string;
  runseq: number;
  attempt: number;
  data: Record<string, Json>;
  trimmed?: string[];
}

export interface PipelineState {
  postgres: { state: string; reason?: string; server?: string; events?: number; exact?: boolean };
  relay: {
    state: string;
    reason?: string;
    unpublished?: number;
    oldest_seconds?: number | null;
    owners?: string[];
    lanes?: number;
    lanes_leased?: number;
    epoch?: number;
    checkpoint_seconds?: number | null;
    parked?: number;
  };
  kafka: { state: string; reason?: string | null; topic?: string; partitions?: number; messages?: number };
  audit: {
    state: string;
    reason?: string | null;
    leaves?: number;
    segments?: number;
    bytes?: number;
    lag?: number;
    committed_at?: string | null;
  };
  feed: { state: string; reason?: string | null; readers: number; at: number; held: number; received?: number };
}

export interface Session {
  tenant: string;
  user: string;
  version: string;
}
