/** Whether the pipeline is healthy. */

import type { JSX } from "preact";
import { classes } from "../components/layout/classes";
import type { Field } from "../components/layout/fields";
import layout from "../components/layout/view.module.css";
import { Dot } from "../components/marks/dot";
import { Skeleton } from "../components/states/skeleton";
import { Ago } from "../components/values/time";
import { feedState } from "../feed/feed";
import { span } from "../time/format";
import styles from "./pipeline.module.css";
import { pipeline, troubles } from "./store";

const STATES: Record<string, [words: string, tone: string]> = {
  ok: ["Healthy", "completed"],
  live: ["Live", "completed"],
  behind: ["Behind", "waiting"],
  stopped: ["Not running", "failed"],
  never: ["Has never run", "waiting"],
  waiting: ["Waiting", "waiting"],
  connecting: ["Connecting", "waiting"],
  empty: ["Empty", "quiet"],
  down: ["Down", "failed"],
  lost: ["Disconnected", "failed"],
  unknown: ["Unknown", "quiet"],
};

const number = (n: number | null | undefined): string =>
  n === undefined || n === null ? "–" : n.toLocaleString();
const seconds = (s: number | null | undefined): string =>
  s === null || s === undefined ? "–" : span(Math.max(0, s) * 1000);
const size = (bytes: number | undefined): string => {
  if (bytes === undefined) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log10(bytes) / 3) : 0);
  return `${(bytes / 1000 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
};

/** Shows each part between a commit and this page, with its figures. */
export function PipelineView(): JSX.Element {
  const state = pipeline.value;
  const wrong = troubles.value;
  return (
    <div class={classes(layout.view, styles.pipeline)}>
      <h1>Pipeline</h1>
      {!state ? (
        <Skeleton lines={2} label="Loading" />
      ) : (
        <>
          <p class={styles.verdict} data-tone={wrong.length === 0 ? "completed" : "failed"} role="status">
            {wrong.length === 0
              ? state.relay.state === "never"
                ? "Nothing has been published yet."
                : "Every part is keeping up."
              : wrong.map((line) => <span key={line}>{line}</span>)}
          </p>
          <ol class={styles.flow}>
            <Part
              name="Postgres"
              purpose="where work and its record are committed together"
              state={state.postgres.state}
              reason={state.postgres.reason}
              headline={[
                `${state.postgres.exact === false ? "≈ " : ""}${number(state.postgres.events)}`,
                "events recorded",
              ]}
              figures={[["Server", state.postgres.server ? `PostgreSQL ${state.postgres.server}` : "–"]]}
            />
            <Part
              name="Relay"
              purpose="publishes each event, in order"
              state={state.relay.state}
              reason={state.relay.reason}
              headline={[
                state.relay.unpublished === 10_000 ? "10,000+" : number(state.relay.unpublished),
                "not yet published",
              ]}
              figures={[
                ["Oldest unpublished", seconds(state.relay.oldest_seconds)],
                [
                  "Last progress",
                  state.relay.checkpoint_seconds === null || state.relay.checkpoint_seconds === undefined
                    ? "–"
                    : `${seconds(state.relay.checkpoint_seconds)} ago`,
                ],
                ["Lanes held", `${number(state.relay.lanes_leased)} of ${number(state.relay.lanes)}`],
                ["Owner", <span class="wrap">{state.relay.owners?.join(", ") || "none"}</span>],
                ["Parked runs", number(state.relay.parked)],
              ]}
            />
            <Part
              name="Kafka"
              purpose="carries the log to its readers"
              state={state.kafka.state}
              reason={state.kafka.reason}
              headline={[number(state.kafka.messages), "messages stored"]}
              figures={[
                ["Topic", <code class="wrap">{state.kafka.topic ?? "–"}</code>],
                ["Partitions", number(state.kafka.partitions)],
              ]}
            />
            <Part
              name="Audit log"
              purpose="keeps every event, tamper-evident"
              state={state.audit.state}
              reason={state.audit.reason}
              headline={[number(state.audit.leaves), "records stored"]}
              figures={[
                ["Behind", `${number(state.audit.lag)} events`],
                ["Segments", number(state.audit.segments)],
                ["Size", size(state.audit.bytes)],
                ["Last commit", <Ago at={state.audit.committed_at ?? null} />],
              ]}
            />
            <Part
              name="This page"
              purpose="shows events as they arrive"
              state={feedState.value === "live" ? state.feed.state : feedState.value}
              reason={state.feed.reason}
              headline={[number(state.feed.received), "events since the server started"]}
              figures={[
                ["Viewers", number(state.feed.readers)],
                ["Kept for reconnects", `${number(state.feed.held)} events`],
              ]}
            />
          </ol>
        </>
      )}
    </div>
  );
}

function Part({
  name,
  purpose,
  state,
  reason,
  headline,
  figures,
}: {
  name: string;
  purpose: string;
  state: string;
  reason: string | null | undefined;
  headline: [string, string];
  figures: Field[];
}): JSX.Element {
  const [words, tone] = STATES[state] ?? [state, "quiet"];
  return (
    <li class={styles.part} data-state={tone}>
      <h2>{name}</h2>
      <p class={styles.partState} data-tone={tone}>
        <Dot /> {words}
      </p>
      <p class={styles.partRole}>{purpose}</p>
      <p class={styles.headline}>
        <strong>{headline[0]}</strong> {headline[1]}
      </p>
      {reason && <p class={styles.reason}>{reason}</p>}
      <dl>
        {figures.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </li>
  );
}
