/** Why a run went as it did: its decisions and approvals. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { ToolCall } from "../../api/types";
import buttons from "../../components/controls/button.module.css";
import { More } from "../../components/controls/more";
import { ActorName } from "../../components/values/actor";
import { brief } from "../../components/values/brief";
import { Text } from "../../components/values/text";
import { Ago } from "../../components/values/time";
import type { RunStore } from "../store";
import { callInWords, type Note, notesOf } from "./decisions";
import styles from "./trail.module.css";

/** For each convention: its title, the field with the outcome, and the field with the reason. */
const HEADS: Record<string, [title: string, headline: string, reason: string]> = {
  decision: ["Decision", "outcome", "rationale"],
  approval: ["Approval", "outcome", "note"],
  revision: ["Revision", "previous_run_id", "reason"],
  failure: ["Failure", "type", "message"],
};

/** Shows the decisions, approvals, revisions and failures of a run. */
export function Trail({ store }: { store: RunStore }): JSX.Element | null {
  const part = store.trail.value;
  const notes = notesOf(part?.items ?? []);
  if (!part || notes.length === 0) return null;
  const stageNames = new Map(store.stages.value?.items.map((stage) => [stage.id, stage.name]));
  const calls = new Map(store.toolCalls.value?.items.map((call) => [call.id, call]));
  return (
    <section class={styles.trail} aria-labelledby="trail-title">
      <h2 id="trail-title">Decisions and approvals</h2>
      <ol>
        {notes.map((note) => (
          <NoteCard
            key={note.id}
            note={note}
            calls={calls}
            stage={note.of.stage_id ? (stageNames.get(note.of.stage_id) ?? note.of.stage_id) : null}
          />
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
  const call =
    outcome === null && note.of.scope === "tool_call" ? calls.get(note.of.scope_id ?? "") : undefined;
  const open = useSignal(false);
  const long = why !== null && why.length > LONG;
  const approvers = note.fields.get("approvers")?.value;
  const rest = [...note.fields].filter(
    ([name]) => ![headline, reason, "confidence", "approvers", "timestamp"].includes(name),
  );
  const tone =
    note.kind === "failure" || outcome === "decline"
      ? "failed"
      : outcome === "accept"
        ? "completed"
        : note.kind;
  return (
    <li class={styles.note} data-kind={tone === "failed" ? "failure" : note.kind}>
      <div class={styles.noteHead}>
        <span class={styles.noteKind}>{title}</span>
        {outcome !== null && (
          <strong data-tone={tone}>
            <Text most={300}>
              {outcome === "accept" ? "accepted" : outcome === "decline" ? "declined" : outcome}
            </Text>
          </strong>
        )}
        {call && (
          <code class={styles.noteCall}>
            <Text most={160}>{callInWords(call)}</Text>
          </code>
        )}
        {Number.isFinite(confidence) && confidence >= 0 && confidence <= 1 && (
          <span class={styles.confidence} title={`Confidence ${confidence}`}>
            <meter min={0} max={1} value={confidence} aria-label="Confidence" />
            {Math.round(confidence * 100)} %
          </span>
        )}
      </div>
      {why !== null && (
        <p class={styles.rationale}>
          <Text>{long && !open.value ? `${why.slice(0, LONG)}…` : why}</Text>{" "}
          {long && (
            <button
              type="button"
              class={buttons.textButton}
              aria-expanded={open.value}
              onClick={() => (open.value = !open.value)}
            >
              {open.value ? "Show less" : "Show all"}
            </button>
          )}
        </p>
      )}
      {rest.length > 0 && (
        <dl class={styles.noteFields}>
          {rest.map(([name, annotation]) => (
            <div key={name}>
              <dt>
                <Text most={80}>{name.replace(/_/g, " ") || annotation.key}</Text>
              </dt>
              <dd>
                <Text most={600}>{brief(annotation.value)}</Text>
              </dd>
            </div>
          ))}
        </dl>
      )}
      <p class={styles.noteFoot}>
        {Array.isArray(approvers) && approvers.length > 0 ? (
          <span>
            by <Text most={200}>{approvers.map((approver) => brief(approver)).join(", ")}</Text>
          </span>
        ) : (
          note.of.actor && (
            <span>
              by <ActorName of={note.of.actor} />
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
