/** A question that a run waits for. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { Failure } from "../api/client";
import { userName } from "../api/session";
import type { Interaction } from "../api/types";
import buttons from "../components/controls/button.module.css";
import { classes } from "../components/layout/classes";
import { statusWords } from "../components/marks/status";
import { Tag } from "../components/marks/tag";
import { ActorName } from "../components/values/actor";
import { brief } from "../components/values/brief";
import { Text } from "../components/values/text";
import { Ago } from "../components/values/time";
import styles from "./question.module.css";
import { answer, answered, keyOf, settled } from "./store";

/** Shows a question, and its form while it is pending, or its outcome. */
export function Question({ of: loaded, runId }: { of: Interaction; runId: string }): JSX.Element {
  const key = keyOf(runId, loaded.id);
  const outcome = answered.value.get(key);
  const of = loaded.status === "pending" ? (settled.value.get(key) ?? loaded) : loaded;
  const open = of.status === "pending" && outcome === undefined;
  return (
    <div class={classes(styles.question, open && styles.isOpen)}>
      <p class={styles.prompt} data-part="prompt">
        <Text>{of.prompt}</Text>
      </p>
      <p class={styles.meta}>
        <Tag>
          <Text most={60}>{of.kind}</Text>
        </Tag>
        <span>
          asked <Ago at={of.asked_at} />
        </span>
        {of.assignee && (
          <span>
            for <Text most={80}>{of.assignee}</Text>
          </span>
        )}
      </p>
      {open ? <Form of={of} runId={runId} /> : <Outcome of={of} sent={outcome} />}
    </div>
  );
}

function Outcome({ of, sent }: { of: Interaction; sent: string | undefined }): JSX.Element {
  const stored = of.answer as { outcome?: string; note?: string } | null;
  const outcome = stored && typeof stored === "object" ? stored.outcome : undefined;
  const words =
    outcome === "accept" ? "Accepted" : outcome === "decline" ? "Declined" : (sent ?? statusWords(of.status));
  const tone = words === "Accepted" ? "completed" : words === "Declined" ? "failed" : "quiet";
  return (
    <div class={styles.outcome} data-part="outcome" role="status">
      <strong data-tone={tone}>{words}</strong>
      {of.actor && (
        <span>
          by <ActorName of={of.actor} />
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
      class={styles.answer}
      onSubmit={(event) => {
        event.preventDefault();
        if (!approval) reply();
      }}
    >
      <label class={styles.answerNote}>
        <span class="sr">{approval ? "Note (optional)" : "Answer"}</span>
        <input
          value={note.value}
          maxLength={10_000}
          placeholder={approval ? "Add a note (optional)" : "Answer (text or JSON)"}
          onInput={(event) => (note.value = event.currentTarget.value)}
        />
      </label>
      {approval ? (
        <span class={styles.buttons}>
          <button
            type="button"
            class={classes(buttons.button, buttons.primary)}
            disabled={busy.value}
            onClick={() => decide("accept")}
          >
            Accept
          </button>
          <button
            type="button"
            class={buttons.button}
            disabled={busy.value}
            onClick={() => decide("decline")}
          >
            Decline
          </button>
        </span>
      ) : (
        <button
          type="submit"
          class={classes(buttons.button, buttons.primary)}
          disabled={busy.value || note.value === ""}
        >
          Answer
        </button>
      )}
      <label class={styles.answerWho}>
        as{" "}
        <input
          value={userName.value}
          maxLength={200}
          aria-label="Your name"
          onInput={(event) => (userName.value = event.currentTarget.value)}
        />
      </label>
      {failed.value && (
        <p class={styles.formFailed} role="alert">
          <Text>{failed.value.what}</Text> {failed.value.advice}
        </p>
      )}
    </form>
  );
}
