/** Whether the pipeline is healthy: each part between a commit and this page, with its figures. */

import type { ComponentChildren, JSX } from "preact";
import { Ago } from "../parts/bits";
import { feedState } from "../feed/feed";
import { span } from "../clock";
import { pipeline } from "../state/overview";
import { troubles } from "../state/troubles";

type Figure = [name: string, value: ComponentChildren];

const WORDS: Record<string, [words: string, tone: string]> = {
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

const number = (n: number | undefined): string => (n === undefined ? "–" : n.toLocaleString());
const seconds = (s: number | null | undefined): string => (s === null || s === undefined ? "–" : span(Math.max(0, s) * 1000));
const size = (bytes: number | undefined): string => {
  if (bytes === undefined) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, bytes > 0 ? Math.floor(Math.log10(bytes) / 3) : 0);
  return `${(bytes / 1000 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
};

export function PipelineView(): JSX.Element {
  const state = pipeline.value;
  const wrong = troubles();
  return (
    <div class="view pipeline">
      <h1>Pipeline</h1>
      {!state ? (
        <div class="skeleton" aria-busy="true" role="status"><span class="sr">Loading</span><div /><div /></div>
      ) : (
        <>
          <p class={`verdict ${wrong.length === 0 ? "tone-completed" : "tone-failed"}`} role="status">
            {wrong.length === 0 ? (state.relay.state === "never" ? "Nothing has been published yet." : "Every part is keeping up.") : wrong.map((line) => <span key={line}>{line}</span>)}
          </p>
          <ol class="flow">
            <Part
              name="Postgres"
              role="where work and its record are committed together"
              state={state.postgres.state}
              reason={state.postgres.reason}
              headline={[`${state.postgres.exact === false ? "≈ " : ""}${number(state.postgres.events)}`, "events recorded"]}
              figures={[["Server", state.postgres.server ? `PostgreSQL ${state.postgres.server}` : "–"]]}
            />
            <Part
              name="Relay"
              role="publishes each event, in order"
              state={state.relay.state}
              reason={state.relay.reason}
              headline={[state.relay.unpublished === 10_000 ? "10,000+" : number(state.relay.unpublished), "not yet published"]}
              figures={[
                ["Oldest unpublished", seconds(state.relay.oldest_seconds)],
                ["Last progress", state.relay.checkpoint_seconds === null || state.relay.checkpoint_seconds === undefined ? "–" : `${seconds(state.relay.checkpoint_seconds)} ago`],
                ["Lanes held", `${number(state.relay.lanes_leased)} of ${number(state.relay.lanes)}`],
                ["Owner", <span class="wrap">{state.relay.owners?.join(", ") || "none"}</span>],
                ["Parked runs", number(state.relay.parked)],
              ]}
            />
            <Part
              name="Kafka"
              role="carries the log to its readers"
              state={state.kafka.state}
              reason={state.kafka.reason}
              headline={[number(state.kafka.messages), "messages held"]}
              figures={[
                ["Topic", <code class="wrap">{state.kafka.topic ?? "–"}</code>],
                ["Partitions", number(state.kafka.partitions)],
              ]}
            />
            <Part
              name="Audit log"
              role="keeps every event, tamper-evident"
              state={state.audit.state}
              reason={state.audit.reason}
              headline={[number(state.audit.leaves), "records kept"]}
              figures={[
                ["Behind", `${number(state.audit.lag)} events`],
                ["Segments", number(state.audit.segments)],
                ["Size", size(state.audit.bytes)],
                ["Last commit", <Ago at={state.audit.committed_at ?? null} />],
              ]}
            />
            <Part
              name="This page"
              role="shows events as they arrive"
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
  role,
  state,
  reason,
  headline,
  figures,
}: {
  name: string;
  role: string;
  state: string;
  reason: string | null | undefined;
  headline: [string, string];
  figures: Figure[];
}): JSX.Element {
  const [words, tone] = WORDS[state] ?? [state, "quiet"];
  return (
    <li class={`part part-${tone}`}>
      <h2>{name}</h2>
      <p class={`part-state tone-${tone}`}>
        <span class="dot" aria-hidden="true" /> {words}
      </p>
      <p class="part-role">{role}</p>
      <p class="headline">
        <strong>{headline[0]}</strong> {headline[1]}
      </p>
      {reason && <p class="reason">{reason}</p>}
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
