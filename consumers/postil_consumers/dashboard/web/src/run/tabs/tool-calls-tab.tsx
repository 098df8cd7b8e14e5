/** The tool calls of a run. */

import type { JSX } from "preact";
import type { ToolCall } from "../../api/types";
import { More } from "../../components/controls/more";
import { classes } from "../../components/layout/classes";
import { type Field, Fields } from "../../components/layout/fields";
import { Status } from "../../components/marks/status";
import { Empty } from "../../components/states/empty";
import { ActorName } from "../../components/values/actor";
import { brief } from "../../components/values/brief";
import { Text } from "../../components/values/text";
import { Ago } from "../../components/values/time";
import { exact, span } from "../../time/format";
import type { RunStore } from "../store";
import { Body, Fold } from "./fold";
import styles from "./fold.module.css";

const durationOf = (call: ToolCall): string =>
  call.duration_ms !== null
    ? span(Number(call.duration_ms))
    : call.ended_at
      ? span(Date.parse(call.ended_at) - Date.parse(call.started_at))
      : "";

/** Shows the tool calls of a run. */
export function ToolCallsTab({ store }: { store: RunStore }): JSX.Element {
  const part = store.toolCalls.value;
  if (!part) return <p class="dim">Loading…</p>;
  if (part.items.length === 0) return <Empty title="This run made no tool calls.">{null}</Empty>;
  return (
    <>
      <ul class={styles.calls}>
        {part.items.map((call) => (
          <Fold
            key={call.id}
            label={`${call.name}, ${call.status}`}
            line={
              <>
                <Status of={call.status} brief />
                <code class={styles.key}>
                  <Text most={120}>{call.name}</Text>
                </code>
                <span class={styles.value}>
                  <Text most={240}>{call.error ? brief(call.error) : brief(call.arguments ?? "")}</Text>
                </span>
                <span class={classes(styles.by, "num")}>{durationOf(call)}</span>
                <span class={styles.when}>
                  <Ago at={call.started_at} />
                </span>
              </>
            }
          >
            {() => (
              <>
                <Body name="Error" value={call.error} />
                <Body name="Arguments" value={call.arguments} />
                <Body name="Result" value={call.result} />
                <Fields
                  of={[
                    ["Kind", <Text>{call.kind}</Text>],
                    ...(call.stage_id ? [["Stage", <Text>{call.stage_id}</Text>] satisfies Field] : []),
                    ["Actor", <ActorName of={call.actor} />],
                    ["Started", exact(call.started_at)],
                    [
                      "Id",
                      <code class="wrap">
                        <Text>{call.id}</Text>
                      </code>,
                    ],
                  ]}
                />
              </>
            )}
          </Fold>
        ))}
      </ul>
      <More has={part.next !== null} what="tool calls" load={() => store.more("toolCalls")} />
    </>
  );
}
