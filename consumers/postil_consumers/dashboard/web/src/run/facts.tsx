/** What is recorded about a run as a whole. */

import type { ComponentChildren, JSX } from "preact";
import type { RunDetail } from "../api/types";
import { ActorName } from "../components/values/actor";
import { JsonView } from "../components/values/json";
import { Text } from "../components/values/text";
import { Ago, Duration } from "../components/values/time";
import { Trigger } from "../components/values/trigger";
import { isTerminal } from "../feed/reducers";
import { runPath } from "../routing/run-ids";
import styles from "./facts.module.css";

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Shows the fields of a run, its input, result and error. */
export function Facts({ run }: { run: RunDetail }): JSX.Element {
  const bodies = (["error", "result", "input", "metadata"] as const).filter(
    (name) => run[name] !== null && run[name] !== undefined,
  );
  return (
    <aside class={styles.facts} aria-label="About this run">
      <dl>
        <Fact name="Started">
          <Ago at={run.started_at} />
        </Fact>
        <Fact name="Duration">
          <Duration from={run.started_at} to={run.ended_at} live={!isTerminal(run.status)} />
        </Fact>
        <Fact name="Actor">
          <ActorName of={run.actor} />
        </Fact>
        <Fact name="Trigger">
          <Trigger source={run.trigger_source} action={run.trigger_action} />
        </Fact>
        {run.schedule_id && (
          <Fact name="Schedule">
            <Text>{run.schedule_id}</Text>
          </Fact>
        )}
        <Fact name="Attempt">{run.attempt}</Fact>
        {run.parent_id && (
          <Fact name="Parent">
            <a href={runPath(run.parent_id)}>
              <Text>{run.parent_id}</Text>
            </a>
          </Fact>
        )}
        {run.root_id !== run.id && run.root_id !== run.parent_id && (
          <Fact name="Root">
            <a href={runPath(run.root_id)}>
              <Text>{run.root_id}</Text>
            </a>
          </Fact>
        )}
        {run.replay_of && (
          <Fact name="Replay of">
            <a href={runPath(run.replay_of)}>
              <Text>{run.replay_of}</Text>
            </a>
          </Fact>
        )}
        <Fact name="Recorded">
          <Ago at={run.created_at} />
        </Fact>
        <Fact name="Events">{run.head.toLocaleString()}</Fact>
      </dl>
      {bodies.map((name) => (
        <section key={name} data-body={name}>
          <h2>{{ error: "Error", result: "Result", input: "Input", metadata: "Metadata" }[name]}</h2>
          <JsonView value={run[name]} label={name} />
        </section>
      ))}
    </aside>
  );
}
