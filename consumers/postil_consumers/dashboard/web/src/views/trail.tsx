/** Why: decisions, approvals, revisions and failures as notes a person can read, each a group recorded together. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { Ago, More, Who } from "../parts/bits";
import { brief } from "../parts/json";
import { Text } from "../parts/text";
import type { RunStore } from "../state/run";
import type { Annotation, ToolCall } from "../types";

export interface Note {
  id: string;
  kind: string;
  of: Annotation;
  fields: Map<string, Annotation>;
}

/** Annotations recorded together, by convention: `decision.*` of one group is one decision. */
export function notesOf(annotations: readonly Annotation[]): Note[] {
  const notes = new Map<string, Note>();
  for (const one of annotations) {
    const [kind = "", ...rest] = one.key.split(".");
    const id = `${one.group_id}/${kind}`;
    let note = notes.get(id);
    if (!note) notes.set(id, (note = { id, kind, of: one, fields: new Map() }));
    note.fields.set(rest.join("."), one);
  }
  // The view shows elsewhere how the run was started; here are the decisions on its way.
  return [...notes.values()].filter((note) => note.kind !== "trigger");
}

/** For each convention, the field with the outcome in a word, and the field with the reason. */
const HEADS: Record<string, [title: string, headline: string, reason: string]> = {
  decision: ["Decision", "outcome", "rationale"],
  approval: ["Approval", "outcome", "note"],
  revision: ["Revision", "previous_run_id", "reason"],
  failure: ["Failure", "type", "message"],
};

export function Trail({ store }: { store: RunStore }): JSX.Element | null {
  const part = store.trail.value;
  const notes = notesOf(part?.items ?? []);
  if (!part || notes.length === 0) return null;
  const stageNames = new Map(store.stages.value?.items.map((stage) => [stage.id, stage.name]));
  const calls = new Map(store.toolCalls.value?.items.map((call) => [call.id, call]));
  return (
    <section class="trail" aria-labelledby="trail-title">
      <h2 id="trail-title">Decisions and approvals</h2>
      <ol>
        {notes.map((note) => (
          <NoteCard key={note.id} note={note} calls={calls} stage={note.of.stage_id ? (stageNames.get(note.of.stage_id) ?? note.of.stage_id) : null} />
        ))}
      </ol>
      <More has={part.next !== null} what="decisions and approvals" load={() => store.more("trail")} />
    </section>
  );
}

const textOf = (note: Note, field: string): string | null => {
  const value = note.fields.get(field)?.value;
  return value === undefined || value === null ? null : brief(value);
};

/** A call in one line: its name and its arguments, without repetitions. */
function callInWords(call: ToolCall): string {
  const given = call.arguments;
  const values = given !== null && typeof given === "object" && !Array.isArray(given) ? Object.values(given) : [given];
  const parts: string[] = [];
  for (const part of [call.name, ...values.filter((one) => one !== null && one !== undefined).map(brief)]) {
    if (parts.some((other) => other.includes(part))) continue;
    const shorter = parts.findIndex((other) => part.startsWith(`${other} `));
    if (shorter >= 0) parts[shorter] = part;
    else parts.push(part);
  }
  return parts.join(" · ");
}

const LONG = 900;

function NoteCard({
  note,
  stage,
  calls,
}: {
  note: Note;
  stage: string | null;
  calls: ReadonlyMap<string, ToolCall>;
}): JSX.Element {
  const [title, headline, reason] = HEADS[note.kind] ?? [note.kind, "", ""];
  const outcome = textOf(note, headline);
  const why = textOf(note, reason);
  const confidence = Number(note.fields.get("confidence")?.value ?? NaN);
  const call = outcome === null && note.of.scope === "tool_call" ? calls.get(note.of.scope_id ?? "") : undefined;
  const open = useSignal(false);
  const long = why !== null && why.length > LONG;
  const approvers = note.fields.get("approvers")?.value;
  const rest = [...note.fields].filter(([name]) => ![headline, reason, "confidence", "approvers", "timestamp"].includes(name));
  const tone = note.kind === "failure" || outcome === "decline" ? "failed" : outcome === "accept" ? "completed" : note.kind;
  return (
    <li class={`note note-${tone === "failed" ? "failure" : note.kind}`}>
      <div class="note-head">
        <span class="note-kind">{title}</span>
        {outcome !== null && (
          <strong class={`tone-${tone}`}>
            <Text most={300}>{outcome === "accept" ? "accepted" : outcome === "decline" ? "declined" : outcome}</Text>
          </strong>
        )}
        {call && (
          <code class="note-call">
            <Text most={160}>{callInWords(call)}</Text>
          </code>
        )}
        {Number.isFinite(confidence) && confidence >= 0 && confidence <= 1 && (
          <span class="confidence" title={`Confidence ${confidence}`}>
            <meter min={0} max={1} value={confidence} aria-label="Confidence" />
            {Math.round(confidence * 100)} %
          </span>
        )}
      </div>
      {why !== null && (
        <p class="rationale">
          <Text>{long && !open.value ? `${why.slice(0, LONG)}…` : why}</Text>{" "}
          {long && (
            <button type="button" class="text-button" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
              {open.value ? "Show less" : "Show all"}
            </button>
          )}
        </p>
      )}
      {rest.length > 0 && (
        <dl class="note-fields">
          {rest.map(([name, one]) => (
            <div key={name}>
              <dt>
                <Text most={80}>{name.replace(/_/g, " ") || one.key}</Text>
              </dt>
              <dd>
                <Text most={600}>{brief(one.value)}</Text>
              </dd>
            </div>
          ))}
        </dl>
      )}
      <p class="note-foot">
        {Array.isArray(approvers) && approvers.length > 0 ? (
          <span>
            by <Text most={200}>{approvers.map((one) => brief(one)).join(", ")}</Text>
          </span>
        ) : (
          note.of.actor && (
            <span>
              by <Who by={note.of.actor} />
            </span>
          )
        )}
        {stage && (
          <span>
            in <Text most={120}>{stage}</Text>
          </span>
        )}
        <Ago at={note.of.recorded_at} />
      </p>
    </li>
  );
}
