/** The events of a run. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { getText } from "../../api/client";
import type { LoggedEvent } from "../../api/types";
import buttons from "../../components/controls/button.module.css";
import { CopyButton } from "../../components/controls/copy-button";
import { More } from "../../components/controls/more";
import { Fields } from "../../components/layout/fields";
import { brief } from "../../components/values/brief";
import json from "../../components/values/json.module.css";
import { Text } from "../../components/values/text";
import { Ago } from "../../components/values/time";
import { runPath } from "../../routing/run-ids";
import { exact, timeOfDay } from "../../time/format";
import type { RunStore } from "../store";
import { Body, Fold } from "./fold";
import styles from "./fold.module.css";

/** Shows the events of a run, the newest first. */
export function EventsTab({ store }: { store: RunStore }): JSX.Element {
  const part = store.events.value;
  if (!part) return <p class="dim">Loading…</p>;
  return (
    <>
      <ul class={styles.events}>
        {part.items.map((event) => (
          <Fold
            key={event.id}
            label={`Event ${event.run_seq}: ${event.type}`}
            line={
              <>
                <code class={styles.seq}>{event.run_seq}</code>
                <code class={styles.key} data-type={event.type.split(":")[0]}>
                  <Text most={60}>{event.type}</Text>
                </code>
                <span class={styles.value}>
                  <Text most={200}>{summary(event)}</Text>
                </span>
                <span class={styles.when} title={exact(event.recorded_at)}>
                  <span class={styles.wideOnly}>{timeOfDay(event.recorded_at)} · </span>
                  <Ago at={event.recorded_at} />
                </span>
              </>
            }
          >
            {() => <Raw event={event} runId={store.id} />}
          </Fold>
        ))}
      </ul>
      <More has={part.next !== null} what="events" load={() => store.more("events")} />
    </>
  );
}

/** Returns what an event is about, in a few words. */
function summary(event: LoggedEvent): string {
  const data = (event.data ?? {}) as Record<string, unknown>;
  if (event.type === "annotation:created") return `${String(data.key)} = ${brief(data.value)}`;
  if (event.type.startsWith("interaction:")) return brief(data.prompt ?? "");
  return brief(data.name ?? event.subject);
}

function Raw({ event, runId }: { event: LoggedEvent; runId: string }): JSX.Element {
  const envelope = useSignal<string | null>(null);
  const load = async (): Promise<string> =>
    (envelope.value ??= await getText(`${runPath(runId)}/events/${event.run_seq}`));
  return (
    <>
      <Body name="Data" value={event.data} />
      <Fields
        of={[
          [
            "Subject",
            <code class="wrap">
              <Text>{event.subject}</Text>
            </code>,
          ],
          ["Recorded", exact(event.recorded_at)],
          ["Committed", exact(event.created_at)],
          ["Event id", <code class="wrap">{event.id}</code>],
        ]}
      />
      <p class={styles.rawTools}>
        {envelope.value === null && (
          <button type="button" class={buttons.textButton} onClick={() => void load().catch(() => {})}>
            Show the envelope as Kafka carries it
          </button>
        )}
        <CopyButton text={load} label="Copy the envelope" />
      </p>
      {envelope.value !== null && (
        <div class={json.json}>
          <pre tabIndex={0} role="region" aria-label="Envelope">
            <Text>{envelope.value}</Text>
          </pre>
        </div>
      )}
    </>
  );
}
