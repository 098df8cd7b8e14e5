/** How a run went, over time. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Annotation, RunDetail, Stage, ToolCall } from "../../api/types";
import { More } from "../../components/controls/more";
import more from "../../components/controls/more.module.css";
import { classes } from "../../components/layout/classes";
import { type Field, Fields } from "../../components/layout/fields";
import { Status, statusWords } from "../../components/marks/status";
import { Tag } from "../../components/marks/tag";
import { ActorName } from "../../components/values/actor";
import { brief } from "../../components/values/brief";
import { JsonView } from "../../components/values/json";
import { plain, Text } from "../../components/values/text";
import { now } from "../../time/clock";
import { exact, span } from "../../time/format";
import type { RunStore } from "../store";
import { ms, type Scale, scaleOf, ticks } from "./scale";
import styles from "./timeline.module.css";

const FIRST = 24;

/** Shows a bar for each stage of a run, with its tool calls and annotations. */
export function Timeline({ store, run }: { store: RunStore; run: RunDetail }): JSX.Element | null {
  const all = useSignal(false);
  const part = store.stages.value;
  const calls = store.toolCalls.value?.items ?? [];
  const annotations = store.annotations.value?.items ?? [];
  if (!part || (part.items.length === 0 && calls.length === 0)) return null;
  const scale = scaleOf(run, part.items, calls, now.value);
  const shown = all.value ? part.items : part.items.slice(0, FIRST);
  const stageIds = new Set(part.items.map((stage) => stage.id));
  const loose = calls.filter((call) => call.stage_id === null || !stageIds.has(call.stage_id));
  return (
    <section aria-labelledby="timeline-title">
      <div class={styles.sectionHead}>
        <h2 id="timeline-title">Timeline</h2>
        <span class="dim">
          {exact(new Date(scale.from).toISOString()).replace(/ \(.*$/, "")} <span aria-hidden="true">→</span>{" "}
          {span(scale.to - scale.from)}
        </span>
      </div>
      <div class={styles.lanes}>
        <div class={styles.axis} aria-hidden="true">
          <span />
          <div>
            {ticks(scale).map((moment) => (
              <i key={moment} style={{ left: `${scale.at(scale.from + moment)}%` }}>
                +{span(moment)}
              </i>
            ))}
          </div>
        </div>
        <ol>
          {loose.length > 0 && <Loose calls={loose} scale={scale} />}
          {shown.map((stage) => (
            <Lane
              key={`${stage.attempt}/${stage.id}`}
              stage={stage}
              scale={scale}
              attempt={run.attempt > 1}
              calls={calls.filter((call) => call.stage_id === stage.id && call.attempt === stage.attempt)}
              marks={annotations.filter(
                (annotation) => annotation.stage_id === stage.id && annotation.attempt === stage.attempt,
              )}
            />
          ))}
        </ol>
      </div>
      {!all.value && part.items.length > FIRST && (
        <button type="button" class={more.more} onClick={() => (all.value = true)}>
          Show all {part.items.length}
          {part.next ? "+" : ""} stages
        </button>
      )}
      {all.value && <More has={part.next !== null} what="stages" load={() => store.more("stages")} />}
    </section>
  );
}

function Bar({
  from,
  to,
  scale,
  tone,
  thin,
}: {
  from: number;
  to: number;
  scale: Scale;
  tone: string;
  thin?: boolean;
}): JSX.Element {
  const left = scale.at(from);
  const instant = to - from < (scale.to - scale.from) / 400;
  return (
    <span
      class={classes(styles.tlBar, thin && styles.thin, instant && styles.instant)}
      data-tone={tone}
      style={{ left: `${left}%`, width: instant ? undefined : `${scale.at(to) - left}%` }}
    />
  );
}

const toneOf = (status: string): string =>
  ({ running: "running", completed: "completed", failed: "failed", suspended: "waiting" })[status] ?? "quiet";

function Loose({ calls, scale }: { calls: readonly ToolCall[]; scale: Scale }): JSX.Element {
  return (
    <li class={styles.lane} data-part="lane">
      <div class={styles.laneLine}>
        <span class={classes(styles.laneName, "dim")}>Tool calls</span>
        <span class={styles.track} role="img" aria-label={`${calls.length} tool calls`}>
          <Calls calls={calls} scale={scale} />
        </span>
      </div>
    </li>
  );
}

function Calls({ calls, scale }: { calls: readonly ToolCall[]; scale: Scale }): JSX.Element {
  return (
    <>
      {calls.map((call) => (
        <Bar
          key={call.id}
          thin
          scale={scale}
          tone={toneOf(call.status)}
          from={ms(call.started_at)}
          to={call.ended_at ? ms(call.ended_at) : now.value}
        />
      ))}
    </>
  );
}

const isWeighty = ({ key }: Annotation): boolean =>
  key.startsWith("decision.") || key.startsWith("approval.");

function Lane({
  stage,
  scale,
  calls,
  marks,
  attempt,
}: {
  stage: Stage;
  scale: Scale;
  calls: readonly ToolCall[];
  marks: readonly Annotation[];
  attempt: boolean;
}): JSX.Element {
  const open = useSignal(false);
  const from = ms(stage.started_at);
  const to = stage.ended_at
    ? ms(stage.ended_at)
    : stage.status === "running" || stage.status === "suspended"
      ? Math.min(now.value, scale.to)
      : from;
  const took = stage.ended_at && to > from ? span(to - from) : stage.status === "running" ? "running" : "";
  const name = plain(stage.name, 120);
  return (
    <li class={classes(styles.lane, open.value && styles.isOpen)} data-part="lane">
      <button
        type="button"
        class={styles.laneLine}
        aria-expanded={open.value}
        aria-label={`${name}, ${statusWords(stage.status)}${took ? `, ${took}` : ""}, ${marks.length} annotations`}
        onClick={() => (open.value = !open.value)}
      >
        <span class={styles.laneName} title={name}>
          <Status of={stage.status} brief />
          <span class={styles.laneText}>
            <Text most={120}>{stage.name}</Text>
          </span>
          {attempt && <Tag>attempt {stage.attempt}</Tag>}
        </span>
        <span class={styles.track}>
          <Bar from={from} to={to} scale={scale} tone={toneOf(stage.status)} />
          <Calls calls={calls} scale={scale} />
          {marks.map((mark) => (
            <span
              key={mark.id}
              class={classes(styles.tlMark, isWeighty(mark) && styles.weighty)}
              style={{ left: `${scale.at(ms(mark.recorded_at))}%` }}
              title={plain(mark.key)}
            />
          ))}
        </span>
        <span class={classes(styles.laneTook, "num")}>{took}</span>
      </button>
      {open.value && (
        <div class={styles.laneBody}>
          <Fields
            of={[
              ["Started", exact(stage.started_at)],
              ...(stage.ended_at ? [["Ended", exact(stage.ended_at)] satisfies Field] : []),
              ["Actor", <ActorName of={stage.actor} />],
              [
                "Id",
                <code class="wrap">
                  <Text>{stage.id}</Text>
                </code>,
              ],
            ]}
          />
          {stage.error !== null && <JsonView value={stage.error} label="error" />}
          {stage.result !== null && <JsonView value={stage.result} label="result" />}
          {marks.length > 0 && (
            <ul class={styles.laneMarks}>
              {marks.map((mark) => (
                <li key={mark.id}>
                  <code class={styles.key}>
                    <Text most={120}>{mark.key}</Text>
                  </code>{" "}
                  <Text most={300}>{brief(mark.value)}</Text>
                </li>
              ))}
            </ul>
          )}
        </div>
      )}
    </li>
  );
}
