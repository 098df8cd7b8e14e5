// Generated from the API's OpenAPI document by `make docs`; edits are lost.

/**
 * Who did something. `agent`, `user` and `system` make the usual kinds.
 *
 * Raises `InvalidInput` if a part is not a text of 1 to 200 characters.
 */
export interface Actor {
  kind: string;
  id: string;
  version: string | null;
}

/** An annotation of a run. */
export interface Annotation {
  id: string;
  run_seq: number;
  attempt: number;
  try: number | null;
  stage_id: string | null;
  group_id: string;
  scope: string;
  scope_id: string | null;
  actor: Actor | null;
  key: string;
  value: JsonText;
  payload: JsonText | null;
  recorded_at: string;
}

/** Annotations of a run; `head` is the run's last run_seq in the same snapshot. */
export interface AnnotationPage {
  items: Annotation[];
  next: string | null;
  head: number;
}

/** The filter, order and limit that a list of runs was read with. */
export interface AppliedFilter {
  status: ("pending" | "running" | "waiting_for_interaction" | "completed" | "failed" | "cancelled")[];
  q: string | null;
  order: "newest" | "oldest";
  limit: number;
}

/** The audit log and its `lag`: the messages of the topic that it has not committed yet. */
export interface AuditState {
  state: "ok" | "waiting" | "behind" | "stopped" | "empty" | "down";
  reason: string | null;
  leaves?: number;
  segments?: number;
  bytes?: number;
  committed_at?: string | null;
  lag: number | null;
}

/** An event as the CloudEvent 1.0 that Kafka carries. */
export interface Envelope {
  specversion: string;
  id: string;
  source: string;
  type: string;
  subject: string;
  time: string;
  recordedtime: string;
  datacontenttype: string;
  tenant: string;
  runid: string;
  runseq: number;
  attempt: number;
  rootrun: string;
  causationid?: string;
  traceparent?: string;
  data: Record<string, unknown>;
}

/** An error: its class, what happened, what to do, and the field at fault if there is one. */
export interface ErrorBody {
  error: string;
  what: string;
  advice: string;
  field: string | null;
}

/** Events of a run; `head` is the run's last run_seq in the same snapshot. */
export interface EventPage {
  items: LoggedEvent[];
  next: string | null;
  head: number;
}

/** An event as the feed sends it. `trimmed` names the fields of `data` that are null because they were too large. */
export interface FeedEnvelope {
  specversion: string;
  id: string;
  source: string;
  type: string;
  subject: string;
  time: string;
  recordedtime: string;
  datacontenttype: string;
  tenant: string;
  runid: string;
  runseq: number;
  attempt: number;
  rootrun: string;
  causationid?: string;
  traceparent?: string;
  data: Record<string, unknown>;
  trimmed?: string[];
}

/** The data of ``hello``, ``reset`` and ``lag``: the feed's epoch, and the number of the last event before it. */
export interface FeedNotice {
  epoch: string;
  at: number;
  missed?: number;
}

/** The feed of this server: its connection to Kafka, its readers, and how many events it holds for reconnects. */
export interface FeedState {
  state: "live" | "connecting" | "down";
  reason: string | null;
  received?: number;
  readers: number;
  at: number;
  held: number;
}

/** A question that a run waits for, or waited for. */
export interface Interaction {
  id: string;
  kind: string;
  prompt: string;
  assignee: string | null;
  status: "pending" | "resolved" | "cancelled";
  attempt: number;
  stage_id: string | null;
  answer: JsonText | null;
  actor: Actor | null;
  asked_at: string;
  ended_at: string | null;
}

/** Interactions of a run; `head` is the run's last run_seq in the same snapshot. */
export interface InteractionPage {
  items: Interaction[];
  next: string | null;
  head: number;
}

/** Any JSON value, exactly as it was recorded. */
export type JsonText = unknown;

export type JsonValue = unknown;

/** Whether Kafka can be reached, and how much the topic holds. */
export interface KafkaState {
  state: "ok" | "waiting" | "down" | "unknown";
  reason?: string;
  topic?: string;
  partitions?: number;
  messages?: number;
}

/** One event of the event log. */
export interface LoggedEvent {
  id: string;
  run_seq: number;
  type: string;
  subject: string;
  attempt: number;
  recorded_at: string;
  created_at: string;
  data: JsonText;
}

/** How far every part of the pipeline is. */
export interface PipelineState {
  postgres: PostgresState;
  relay: RelayState;
  kafka: KafkaState;
  audit: AuditState;
  feed: FeedState;
}

/** Whether Postgres returns rows, and how many events the event log has. `exact` is False if that is an estimate. */
export interface PostgresState {
  state: "ok" | "down";
  reason?: string;
  advice?: string;
  server?: string;
  events?: number;
  exact?: boolean;
}

/** The receipt of one annotation, tool call or interaction. */
export interface Receipt {
  id: string;
  run_seq: number;
  created: boolean;
}

/** How far the relay has published. It is ``stopped`` without a lease now, and ``never`` if there was no lease yet. */
export interface RelayState {
  state: "ok" | "behind" | "stopped" | "never" | "unknown";
  reason?: string;
  unpublished?: number;
  oldest_seconds?: number | null;
  owners?: string[];
  lanes?: number;
  lanes_leased?: number;
  epoch?: number;
  checkpoint_seconds?: number | null;
  parked?: number;
}

/** The answer to an interaction: `outcome`, and optionally `note`, for an approval, else any JSON as `answer`. */
export interface Resolution {
  /** Id of the user who resolves the interaction; recorded as the actor */
  who: string;
  outcome?: "accept" | "decline" | null;
  note?: string | null;
  answer?: JsonValue;
}

/**
 * A run, as lists show it.
 *
 * `head` is the run_seq of its last event. The counts `stages`, `annotations` and `pending` stop at `COUNT_CAP`.
 */
export interface Run {
  id: string;
  name: string;
  status: "pending" | "running" | "waiting_for_interaction" | "completed" | "failed" | "cancelled";
  attempt: number;
  head: number;
  trigger_source: string;
  trigger_action: string;
  actor: Actor | null;
  stages: number;
  annotations: number;
  pending: number;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
}

/** A run with all its fields. The counts `tool_calls` and `interactions` stop at `COUNT_CAP`. */
export interface RunDetail {
  id: string;
  name: string;
  status: "pending" | "running" | "waiting_for_interaction" | "completed" | "failed" | "cancelled";
  attempt: number;
  head: number;
  trigger_source: string;
  trigger_action: string;
  actor: Actor | null;
  stages: number;
  annotations: number;
  pending: number;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  parent_id: string | null;
  root_id: string;
  depth: number;
  replay_of: string | null;
  schedule_id: string | null;
  root_source: string;
  root_schedule_id: string | null;
  tool_calls: number;
  interactions: number;
  input: JsonText | null;
  result: JsonText | null;
  error: JsonText | null;
  metadata: JsonText | null;
  recorded_at: string;
}

/** Runs, and the filter that was applied; `next` is the cursor of the following page, null on the last one. */
export interface RunList {
  items: Run[];
  next: string | null;
  applied: AppliedFilter;
}

/** The tenant that the dashboard shows, the user name to propose for a resolver, and Postil's version. */
export interface Session {
  tenant: string;
  user: string;
  version: string;
}

/** A named step of a run. */
export interface Stage {
  id: string;
  name: string;
  status: "running" | "suspended" | "completed" | "failed" | "cancelled";
  attempt: number;
  actor: Actor | null;
  result: JsonText | null;
  error: JsonText | null;
  started_at: string;
  ended_at: string | null;
}

/** Stages of a run; `head` is the run's last run_seq in the same snapshot. */
export interface StagePage {
  items: Stage[];
  next: string | null;
  head: number;
}

/** One call that a run made. `duration_ms` is in milliseconds; `kind` is ``ai`` for an AI call. */
export interface ToolCall {
  id: string;
  kind: string;
  name: string;
  status: "running" | "completed" | "failed";
  attempt: number;
  stage_id: string | null;
  actor: Actor | null;
  arguments: JsonText | null;
  result: JsonText | null;
  error: JsonText | null;
  started_at: string;
  ended_at: string | null;
  duration_ms: number | null;
}

/** Tool calls of a run; `head` is the run's last run_seq in the same snapshot. */
export interface ToolCallPage {
  items: ToolCall[];
  next: string | null;
  head: number;
}

/** The number of runs in each status; 10,000 means at least that many. */
export interface Totals {
  pending: number;
  running: number;
  waiting_for_interaction: number;
  completed: number;
  failed: number;
  cancelled: number;
}

/** A pending interaction, with the run that waits for it. */
export interface WaitingInteraction {
  id: string;
  kind: string;
  prompt: string;
  assignee: string | null;
  status: "pending" | "resolved" | "cancelled";
  attempt: number;
  stage_id: string | null;
  answer: JsonText | null;
  actor: Actor | null;
  asked_at: string;
  ended_at: string | null;
  run_id: string;
  run_name: string;
}

/** Pending interactions of all runs; `next` is the cursor of the following page, null on the last one. */
export interface WaitingList {
  items: WaitingInteraction[];
  next: string | null;
}
