/** A question a run waits on, answerable where it stands. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { Failure } from "../api";
import { answer, answered, keyOf, settled, who } from "../state/overview";
import type { Interaction } from "../types";
import { Ago, statusWords, Who } from "./bits";
import { brief } from "./json";
import { Text } from "./text";

export function Question({ of: given, runId }: { of: Interaction; runId: string }): JSX.Element {
  const key = keyOf(runId, given.id);
  const outcome = answered.value.get(key);
  const of = given.status === "pending" ? (settled.value.get(key) ?? given) : given;
  const open = of.status === "pending" && outcome === undefined;
  return (
    <div class={`question ${open ? "is-open" : ""}`}>
      <p class="prompt">
        <Text>{of.prompt}</Text>
      </p>
      <p class="meta">
        <span class="tag">
          <Text most={60}>{of.kind}</Text>
        </span>
        <span>
          asked <Ago at={of.asked_at} />
        </span>
        {of.assignee && (
          <span>
            for <Text most={80}>{of.assignee}</Text>
          </span>
        )}
      </p>
      {open ? <Form of={of} runId={runId} /> : <Outcome of={of} given={outcome} />}
    </div>
  );
}

function Outcome({ of, given }: { of: Interaction; given: string | undefined }): JSX.Element {
  const stored = of.answer as { outcome?: string; note?: string } | null;
  const outcome = stored && typeof stored === "object" ? stored.outcome : undefined;
  const words = outcome === "accept" ? "Accepted" : outcome === "decline" ? "Declined" : (given ?? statusWords(of.status));
  const tone = words === "Accepted" ? "completed" : words === "Declined" ? "failed" : "quiet";
  return (
    <div class="outcome" role="status">
      <strong class={`tone-${tone}`}>{words}</strong>
      {of.actor && (
        <span>
          by <Who by={of.actor} />
        </span>
      )}
      {of.ended_at && <Ago at={of.ended_at} />}
      {stored !== null && outcome === undefined && <Text most={2000}>{brief(stored)}</Text>}
      {stored?.note && (
        <blockquote>
          <Text>{String(stored.note)}</Text>
        </blockquote>
      )}
    </div>
  );
}

function Form({ of, runId }: { of: Interaction; runId: string }): JSX.Element {
  const note = useSignal("");
  const busy = useSignal(false);
  const failed = useSignal<Failure | null>(null);
  const approval = of.kind === "approval";

  const send = async (body: Parameters<typeof answer>[2]): Promise<void> => {
    busy.value = true;
    failed.value = null;
    try {
      await answer(runId, of.id, body);
    } catch (error) {
      failed.value = error instanceof Failure ? error : new Failure(-1, String(error), "");
    } finally {
      busy.value = false;
    }
  };
  const decide = (outcome: "accept" | "decline"): void => {
    const text = note.value.trim();
    void send(text ? { outcome, note: text } : { outcome });
  };
  const reply = (): void => {
    let value: unknown = note.value;
    try {
      value = JSON.parse(note.value);
    } catch {
      // Not JSON, so it is text.
    }
    void send({ answer: value });
  };

  return (
    <form
      class="answer"
      onSubmit={(event) => {
        event.preventDefault();
        if (!approval) reply();
      }}
    >
      <label class="answer-note">
        <span class="sr">{approval ? "Note (optional)" : "Answer"}</span>
        <input
          value={note.value}
          maxLength={10_000}
          placeholder={approval ? "Add a note (optional)" : "Answer (text or JSON)"}
          onInput={(event) => (note.value = event.currentTarget.value)}
        />
      </label>
      {approval ? (
        <span class="buttons">
          <button type="button" class="button primary" disabled={busy.value} onClick={() => decide("accept")}>
            Accept
          </button>
          <button type="button" class="button" disabled={busy.value} onClick={() => decide("decline")}>
            Decline
          </button>
        </span>
      ) : (
        <button type="submit" class="button primary" disabled={busy.value || note.value === ""}>
          Answer
        </button>
      )}
      <label class="answer-who">
        as{" "}
        <input
          value={who.value}
          maxLength={200}
          aria-label="Your name"
          onInput={(event) => (who.value = event.currentTarget.value)}
        />
      </label>
      {failed.value && (
        <p class="form-failed" role="alert">
          <Text>{failed.value.what}</Text> {failed.value.advice}
        </p>
      )}
    </form>
  );
}
