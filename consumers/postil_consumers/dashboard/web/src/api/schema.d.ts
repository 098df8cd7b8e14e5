// Generated from the API's OpenAPI document by `make docs`; edits are lost.

/**
 * Who did something. `agent`, `user` and `system` make the usual kinds.
 *
 * Raises `InvalidInput` if a part is not a text of 1 to 200 characters.
 */
export interface Actor {
  /** `agent`, `user`, `system`, or another word */ kind: string;
  /** Id of the actor in the host system, for example a login or the name of a service */ id: string;
  /** Version of the agent or service; null if it is unknown */ version: string | null;
}

/** An annotation of a run. */
export interface Annotation {
  /** Id of the annotation, a UUID */ id: string;
  /** Number of the event within the run: 1, 2, 3 … without a gap */ run_seq: number;
  /** Attempt of the run that it belongs to: 1, and one more at each rerun */ attempt: number;
  /** Try within the attempt; null if it was not stated */ try: number | null;
  /** Id of the stage that it belongs to; null if it belongs to no stage */ stage_id: string | null;
  /** Id of the first annotation of the group */ group_id: string;
  /** What the annotation is about: `run`, `stage`, `tool_call`, `ai_call`, or another word */ scope: string;
  /** Id of what the annotation is about; null for the run itself */ scope_id: string | null;
  /** Who did it; null if the actor was not stated */ actor: Actor | null;
  /** Key of the annotation, as in `decision.outcome` */ key: string;
  /** Value of the annotation */ value: JsonText;
  /** More data about the annotation; null if there is none */ payload: JsonText | null;
  /** When it happened, as the caller stated */ recorded_at: string;
}

/** Annotations of a run; `head` is the run's last run_seq in the same snapshot. */
export interface AnnotationPage {
  /** The items of this page */ items: Annotation[];
  /** Cursor of the next page; null on the last page */ next: string | null;
  /** run_seq of the run's last event, read in the same snapshot */ head: number;
}

/** The filter, order and limit that a list of runs was read with. */
export interface AppliedFilter {
  /** The statuses that were listed; empty if every status was listed */ status: ("pending" | "running" | "waiting_for_interaction" | "completed" | "failed" | "cancelled")[];
  /** The part of id or name that was searched for; null if nothing was */ q: string | null;
  /** Order of the items, by time */ order: "newest" | "oldest";
  /** Largest number of items on a page */ limit: number;
}

/** The audit log and its `lag`: the messages of the topic that it has not committed yet. */
export interface AuditState {
  /** State of the process that writes the log */ state: "ok" | "waiting" | "behind" | "stopped" | "empty" | "down";
  /** Why the state is not `ok`; null if nothing is wrong */ reason: string | null;
  /** Events in the log */ leaves?: number;
  /** Number of segments */ segments?: number;
  /** Bytes of all segments */ bytes?: number;
  /** When the log last grew; null if it is empty */ committed_at?: string | null;
  /** Messages of the topic that the log does not contain yet; null if this is unknown */ lag: number | null;
}

/** An event as the CloudEvent 1.0 that Kafka carries. */
export interface Envelope {
  /** Version of CloudEvents */ specversion: string;
  /** Id of the event, a UUID; the same in every copy of the event */ id: string;
  /** The run as a path: tenant and run id, percent-encoded (RFC 3986) */ source: string;
  /** Type of the event */ type: string;
  /** What in the run the event is about */ subject: string;
  /** When it happened, as the caller stated */ time: string;
  /** When the transaction that recorded it began, by the clock of the database */ recordedtime: string;
  /** Form of `data` */ datacontenttype: string;
  /** Tenant of the run */ tenant: string;
  /** Id of the run */ runid: string;
  /** Number of the event within the run: 1, 2, 3 … without a gap */ runseq: number;
  /** Attempt of the run that it belongs to: 1, and one more at each rerun */ attempt: number;
  /** Id of the root run */ rootrun: string;
  /** What caused the write; absent if the caller did not state it */ causationid?: string;
  /** W3C Trace Context; absent if the write was not traced */ traceparent?: string;
  /** The fields of the event's type */ data: Record<string, unknown>;
}

/** An error: its class, what happened, what to do, and the field at fault if there is one. */
export interface ErrorBody {
  /** Name of the error's class, as in the reference of errors */ error: string;
  /** What happened */ what: string;
  /** What to do */ advice: string;
  /** Path of the field at fault; null if no field is at fault */ field: string | null;
}

/** Events of a run; `head` is the run's last run_seq in the same snapshot. */
export interface EventPage {
  /** The items of this page */ items: LoggedEvent[];
  /** Cursor of the next page; null on the last page */ next: string | null;
  /** run_seq of the run's last event, read in the same snapshot */ head: number;
}

/** An event as the feed sends it. `trimmed` names the fields of `data` that are null because they were too large. */
export interface FeedEnvelope {
  /** Version of CloudEvents */ specversion: string;
  /** Id of the event, a UUID; the same in every copy of the event */ id: string;
  /** The run as a path: tenant and run id, percent-encoded (RFC 3986) */ source: string;
  /** Type of the event */ type: string;
  /** What in the run the event is about */ subject: string;
  /** When it happened, as the caller stated */ time: string;
  /** When the transaction that recorded it began, by the clock of the database */ recordedtime: string;
  /** Form of `data` */ datacontenttype: string;
  /** Tenant of the run */ tenant: string;
  /** Id of the run */ runid: string;
  /** Number of the event within the run: 1, 2, 3 … without a gap */ runseq: number;
  /** Attempt of the run that it belongs to: 1, and one more at each rerun */ attempt: number;
  /** Id of the root run */ rootrun: string;
  /** What caused the write; absent if the caller did not state it */ causationid?: string;
  /** W3C Trace Context; absent if the write was not traced */ traceparent?: string;
  /** The fields of the event's type */ data: Record<string, unknown>;
  /** Names of the fields of `data` that are too large for the feed and sent as null */ trimmed?: string[];
}

/** The data of ``hello``, ``reset`` and ``lag``: the feed's epoch, and the number of the last event before it. */
export interface FeedNotice {
  /** Id of the feed's epoch. A new epoch means that events may have been missed */ epoch: string;
  /** Number of the last event of the feed before this notice */ at: number;
  /** Number of events that this reader missed, because it was too slow */ missed?: number;
}

/** The feed of this server: its connection to Kafka, its readers, and how many events it holds for reconnects. */
export interface FeedState {
  /** State of the connection to Kafka */ state: "live" | "connecting" | "down";
  /** Why the state is not `live`; null if nothing is wrong */ reason: string | null;
  /** Messages that were received from Kafka */ received?: number;
  /** Readers that are connected */ readers: number;
  /** Number of the feed's last event */ at: number;
  /** Events that are kept for readers that connect again */ held: number;
}

/** A question that a run waits for, or waited for. */
export interface Interaction {
  /** Id of the interaction, unique within the run */ id: string;
  /** `approval`, `question`, or another word */ kind: string;
  /** Text of the question */ prompt: string;
  /** Who should answer; null if this was not stated */ assignee: string | null;
  /** Status of the interaction */ status: "pending" | "resolved" | "cancelled";
  /** Attempt of the run that it belongs to: 1, and one more at each rerun */ attempt: number;
  /** Id of the stage that it belongs to; null if it belongs to no stage */ stage_id: string | null;
  /** The answer; null until the interaction is resolved */ answer: JsonText | null;
  /** Who resolved or cancelled the interaction; null if it is pending or the actor was not stated */ actor: Actor | null;
  /** When the interaction was created */ asked_at: string;
  /** When it ended; null until it ends */ ended_at: string | null;
}

/** Interactions of a run; `head` is the run's last run_seq in the same snapshot. */
export interface InteractionPage {
  /** The items of this page */ items: Interaction[];
  /** Cursor of the next page; null on the last page */ next: string | null;
  /** run_seq of the run's last event, read in the same snapshot */ head: number;
}

/** Any JSON value, exactly as it was recorded. */
export type JsonText = unknown;

export type JsonValue = unknown;

/** Whether Kafka can be reached, and how much the topic holds. */
export interface KafkaState {
  /** State of Kafka and of the topic: `waiting` if the topic cannot be read yet */ state: "ok" | "waiting" | "down" | "unknown";
  /** Why the state is not `ok` */ reason?: string;
  /** Name of the topic */ topic?: string;
  /** Partitions of the topic */ partitions?: number;
  /** Messages in the topic */ messages?: number;
}

/** One event of the event log. */
export interface LoggedEvent {
  /** Id of the event, a UUID */ id: string;
  /** Number of the event within the run: 1, 2, 3 … without a gap */ run_seq: number;
  /** Type of the event */ type: string;
  /** What in the run the event is about */ subject: string;
  /** Attempt of the run that it belongs to: 1, and one more at each rerun */ attempt: number;
  /** When it happened, as the caller stated */ recorded_at: string;
  /** When the transaction that recorded it began, by the clock of the database */ created_at: string;
  /** The fields of the event's type */ data: JsonText;
}

/** How far every part of the pipeline is. */
export interface PipelineState {
  /** PostgreSQL and the event log */ postgres: PostgresState;
  /** The relay, as PostgreSQL stores it */ relay: RelayState;
  /** Kafka and the topic */ kafka: KafkaState;
  /** The audit log */ audit: AuditState;
  /** The live feed of this server */ feed: FeedState;
}

/** Whether Postgres returns rows, and how many events the event log has. `exact` is False if that is an estimate. */
export interface PostgresState {
  /** Whether PostgreSQL responds */ state: "ok" | "down";
  /** Why PostgreSQL is unavailable */ reason?: string;
  /** What to do, if PostgreSQL is unavailable */ advice?: string;
  /** Version of PostgreSQL */ server?: string;
  /** Number of events in the event log */ events?: number;
  /** Whether `events` was counted; otherwise the planner of PostgreSQL estimated it */ exact?: boolean;
}

/** The receipt of one annotation, tool call or interaction. */
export interface Receipt {
  /** Id of the interaction */ id: string;
  /** Number of the event within the run: 1, 2, 3 … without a gap */ run_seq: number;
  /** False if an earlier request had stored the same answer */ created: boolean;
}

/** How far the relay has published. It is ``stopped`` without a lease now, and ``never`` if there was no lease yet. */
export interface RelayState {
  /** State of the relay: `behind` if an event has waited for more than 5 seconds */ state: "ok" | "behind" | "stopped" | "never" | "unknown";
  /** Why the state is unknown */ reason?: string;
  /** Events that are not published yet; 10,000 means at least that many */ unpublished?: number;
  /** Age in seconds of the oldest event that is not published; null if there is none */ oldest_seconds?: number | null;
  /** Names of the relays that own a lane */ owners?: string[];
  /** Number of lanes */ lanes?: number;
  /** Number of lanes that a relay owns now */ lanes_leased?: number;
  /** Highest epoch of a lease; 0 if no relay ever took one */ epoch?: number;
  /** Seconds since a relay last saved its position; null if none ever did */ checkpoint_seconds?: number | null;
  /** Number of parked runs */ parked?: number;
}

/** The answer to an interaction: `outcome`, and optionally `note`, for an approval, else any JSON as `answer`. */
export interface Resolution {
  /** Id of the user who resolves the interaction; recorded as the actor */ who: string;
  /** Outcome of an approval; null for any other kind of interaction */ outcome?: "accept" | "decline" | null;
  /** Remark on the outcome of an approval, up to 10,000 characters */ note?: string | null;
  /** The answer to an interaction that is not an approval: any JSON value */ answer?: JsonValue;
}

/**
 * A run, as lists show it.
 *
 * `head` is the run_seq of its last event. The counts `stages`, `annotations` and `pending` stop at 1,000.
 */
export interface Run {
  /** Id of the run, unique within the tenant */ id: string;
  /** Name of the run */ name: string;
  /** Status of the run */ status: "pending" | "running" | "waiting_for_interaction" | "completed" | "failed" | "cancelled";
  /** Current attempt: 1, and one more at each rerun */ attempt: number;
  /** run_seq of the run's last event, read in the same snapshot */ head: number;
  /** Where the trigger came from, for example `sdk` */ trigger_source: string;
  /** What the source did to start the run, for example `trigger` */ trigger_action: string;
  /** Who did it; null if the actor was not stated */ actor: Actor | null;
  /** Number of stages; 1,000 means at least that many */ stages: number;
  /** Number of annotations; 1,000 means at least that many */ annotations: number;
  /** Number of pending interactions; 1,000 means at least that many */ pending: number;
  /** When the transaction that recorded it began, by the clock of the database */ created_at: string;
  /** When the run started; null until it starts */ started_at: string | null;
  /** When it ended; null until it ends */ ended_at: string | null;
}

/** A run with all its fields. The counts `tool_calls` and `interactions` stop at 1,000. */
export interface RunDetail {
  /** Id of the run, unique within the tenant */ id: string;
  /** Name of the run */ name: string;
  /** Status of the run */ status: "pending" | "running" | "waiting_for_interaction" | "completed" | "failed" | "cancelled";
  /** Current attempt: 1, and one more at each rerun */ attempt: number;
  /** run_seq of the run's last event, read in the same snapshot */ head: number;
  /** Where the trigger came from, for example `sdk` */ trigger_source: string;
  /** What the source did to start the run, for example `trigger` */ trigger_action: string;
  /** Who did it; null if the actor was not stated */ actor: Actor | null;
  /** Number of stages; 1,000 means at least that many */ stages: number;
  /** Number of annotations; 1,000 means at least that many */ annotations: number;
  /** Number of pending interactions; 1,000 means at least that many */ pending: number;
  /** When the transaction that recorded it began, by the clock of the database */ created_at: string;
  /** When the run started; null until it starts */ started_at: string | null;
  /** When it ended; null until it ends */ ended_at: string | null;
  /** Id of the run that started this one; null for a root run */ parent_id: string | null;
  /** Id of the run at the top of the tree of runs */ root_id: string;
  /** Number of runs above this one: 0 for a root run */ depth: number;
  /** Id of the run that this one repeats; null if it repeats none */ replay_of: string | null;
  /** Id of the schedule that started the run; null if there is none */ schedule_id: string | null;
  /** Where the trigger of the root run came from */ root_source: string;
  /** Id of the schedule that started the root run; null if there is none */ root_schedule_id: string | null;
  /** Number of tool calls; 1,000 means at least that many */ tool_calls: number;
  /** Number of interactions; 1,000 means at least that many */ interactions: number;
  /** What the run started from; null if it was not stated */ input: JsonText | null;
  /** What it produced; null if it produced nothing */ result: JsonText | null;
  /** What went wrong; null if nothing did */ error: JsonText | null;
  /** More data about the run; null if there is none */ metadata: JsonText | null;
  /** When the run was created, as the caller stated */ recorded_at: string;
}

/** Runs, and the filter that was applied; `next` is the cursor of the following page, null on the last one. */
export interface RunList {
  /** The items of this page */ items: Run[];
  /** Cursor of the next page; null on the last page */ next: string | null;
  /** The filter, order and limit that were applied */ applied: AppliedFilter;
}

/** The tenant that the dashboard shows, the user name to propose for a resolver, and Postil's version. */
export interface Session {
  /** Tenant whose runs the dashboard shows */ tenant: string;
  /** User name to propose for the answer to an interaction */ user: string;
  /** Version of Postil */ version: string;
}

/** A named step of a run. */
export interface Stage {
  /** Id of the stage, unique within the attempt */ id: string;
  /** Name of the stage */ name: string;
  /** Status of the stage */ status: "running" | "suspended" | "completed" | "failed" | "cancelled";
  /** Attempt of the run that it belongs to: 1, and one more at each rerun */ attempt: number;
  /** Who did it; null if the actor was not stated */ actor: Actor | null;
  /** What it produced; null if it produced nothing */ result: JsonText | null;
  /** What went wrong; null if nothing did */ error: JsonText | null;
  /** When it started */ started_at: string;
  /** When it ended; null until it ends */ ended_at: string | null;
}

/** Stages of a run; `head` is the run's last run_seq in the same snapshot. */
export interface StagePage {
  /** The items of this page */ items: Stage[];
  /** Cursor of the next page; null on the last page */ next: string | null;
  /** run_seq of the run's last event, read in the same snapshot */ head: number;
}

/** One call that a run made. `duration_ms` is in milliseconds; `kind` is ``ai`` for an AI call. */
export interface ToolCall {
  /** Id of the tool call, unique within the run */ id: string;
  /** `ai` for an AI call, `tool`, or another word */ kind: string;
  /** Name of what was called */ name: string;
  /** Status of the call */ status: "running" | "completed" | "failed";
  /** Attempt of the run that it belongs to: 1, and one more at each rerun */ attempt: number;
  /** Id of the stage that it belongs to; null if it belongs to no stage */ stage_id: string | null;
  /** Who did it; null if the actor was not stated */ actor: Actor | null;
  /** Arguments of the call; null if they were not stated */ arguments: JsonText | null;
  /** What it produced; null if it produced nothing */ result: JsonText | null;
  /** What went wrong; null if nothing did */ error: JsonText | null;
  /** When it started */ started_at: string;
  /** When it ended; null until it ends */ ended_at: string | null;
  /** Duration in milliseconds; null until the call ends */ duration_ms: number | null;
}

/** Tool calls of a run; `head` is the run's last run_seq in the same snapshot. */
export interface ToolCallPage {
  /** The items of this page */ items: ToolCall[];
  /** Cursor of the next page; null on the last page */ next: string | null;
  /** run_seq of the run's last event, read in the same snapshot */ head: number;
}

/** The number of runs in each status; 10,000 means at least that many. */
export interface Totals {
  /** Runs that have not started */ pending: number;
  /** Runs that run */ running: number;
  /** Runs that wait for an answer */ waiting_for_interaction: number;
  /** Runs that completed */ completed: number;
  /** Runs that failed */ failed: number;
  /** Runs that were cancelled */ cancelled: number;
}

/** A pending interaction, with the run that waits for it. */
export interface WaitingInteraction {
  /** Id of the interaction, unique within the run */ id: string;
  /** `approval`, `question`, or another word */ kind: string;
  /** Text of the question */ prompt: string;
  /** Who should answer; null if this was not stated */ assignee: string | null;
  /** `pending` */ status: "pending" | "resolved" | "cancelled";
  /** Attempt of the run that it belongs to: 1, and one more at each rerun */ attempt: number;
  /** Id of the stage that it belongs to; null if it belongs to no stage */ stage_id: string | null;
  /** The answer; null until the interaction is resolved */ answer: JsonText | null;
  /** Null, because the interaction is pending */ actor: Actor | null;
  /** When the interaction was created */ asked_at: string;
  /** When it ended; null until it ends */ ended_at: string | null;
  /** Id of the run that waits */ run_id: string;
  /** Name of the run that waits */ run_name: string;
}

/** Pending interactions of all runs; `next` is the cursor of the following page, null on the last one. */
export interface WaitingList {
  /** The items of this page */ items: WaitingInteraction[];
  /** Cursor of the next page; null on the last page */ next: string | null;
}
