/** How a run went: a bar per stage, its tool calls beneath, its annotations as marks on it. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { exact, now, span } from "../clock";
import { More, Status, statusWords, Who } from "../parts/bits";
import { JsonView } from "../parts/json";
import { plain, Text } from "../parts/text";
import type { RunStore } from "../state/run";
import { terminal } from "../state/apply";
import type { Annotation, RunDetail, Stage, ToolCall } from "../types";

interface Scale {
  from: number;
  to: number;
  /** Where a moment stands, in percent of the width. */
  at: (ms: number) => number;
}

const ms = (iso: string): number => Date.parse(iso);

function scaleOf(run: RunDetail, stages: readonly Stage[], calls: readonly ToolCall[]): Scale {
  const moments = [...stages, ...calls].flatMap((one) => [ms(one.started_at), ...(one.ended_at ? [ms(one.ended_at)] : [])]);
  if (run.started_at) moments.push(ms(run.started_at));
  if (run.ended_at) moments.push(ms(run.ended_at));
  const from = Math.min(...moments);
  const live = !terminal(run.status);
  const to = Math.max(...moments, live && now.value - from < 7 * 86_400_000 ? now.value : -Infinity);
  const width = Math.max(1, to - from);
  return { from, to, at: (moment) => Math.min(100, Math.max(0, ((moment - from) / width) * 100)) };
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500].map((n) => n);
const NICE = [
  ...STEPS,
  ...[1, 2, 5, 10, 15, 30].map((s) => s * 1000),
  ...[1, 2, 5, 10, 15, 30].map((m) => m * 60_000),
  ...[1, 2, 3, 6, 12].map((h) => h * 3_600_000),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 365, 730].map((d) => d * 86_400_000),
];

function ticks(scale: Scale): number[] {
  const width = scale.to - scale.from;
  const step = NICE.find((size) => width / size <= 5.5) ?? width / 4;
  const found: number[] = [];
  for (let moment = step; moment <= width * 0.97; moment += step) found.push(moment);
  return found;
}

const FIRST = 24;

export function Timeline({ store, run }: { store: RunStore; run: RunDetail }): JSX.Element | null {
  const all = useSignal(false);
  const part = store.stages.value;
  const calls = store.toolCalls.value?.items ?? [];
  const annotations = store.annotations.value?.items ?? [];
  if (!part || (part.items.length === 0 && calls.length === 0)) return null;
  const scale = scaleOf(run, part.items, calls);
  const shown = all.value ? part.items : part.items.slice(0, FIRST);
  const known = new Set(part.items.map((stage) => stage.id));
  const loose = calls.filter((call) => call.stage_id === null || !known.has(call.stage_id));
  return (
    <section class="timeline" aria-labelledby="timeline-title">
      <div class="section-head">
        <h2 id="timeline-title">Timeline</h2>
        <span class="dim">
          {exact(new Date(scale.from).toISOString()).replace(/ \(.*$/, "")} <span aria-hidden="true">→</span> {span(scale.to - scale.from)}
        </span>
      </div>
      <div class="lanes">
        <div class="axis" aria-hidden="true">
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
              marks={annotations.filter((one) => one.stage_id === stage.id && one.attempt === stage.attempt)}
            />
          ))}
        </ol>
      </div>
      {!all.value && part.items.length > FIRST && (
        <button type="button" class="more" onClick={() => (all.value = true)}>
          Show all {part.items.length}
          {part.next ? "+" : ""} stages
        </button>
      )}
      {all.value && <More has={part.next !== null} what="stages" load={() => store.more("stages")} />}
    </section>
  );
}

function Bar({ from, to, scale, tone, thin }: { from: number; to: number; scale: Scale; tone: string; thin?: boolean }): JSX.Element {
  const left = scale.at(from);
  const instant = to - from < (scale.to - scale.from) / 400;
  return (
    <span
      class={`tl-bar tone-${tone} ${thin ? "thin" : ""} ${instant ? "instant" : ""}`}
      style={{ left: `${left}%`, width: instant ? undefined : `${scale.at(to) - left}%` }}
    />
  );
}

const toneOf = (status: string): string =>
  ({ running: "running", completed: "completed", failed: "failed", suspended: "waiting" })[status] ?? "quiet";

function Loose({ calls, scale }: { calls: readonly ToolCall[]; scale: Scale }): JSX.Element {
  return (
    <li class="lane">
      <div class="lane-line">
        <span class="lane-name dim">Tool calls</span>
        <span class="track" role="img" aria-label={`${calls.length} tool calls`}>
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
        <Bar key={call.id} thin scale={scale} tone={toneOf(call.status)} from={ms(call.started_at)} to={call.ended_at ? ms(call.ended_at) : now.value} />
      ))}
    </>
  );
}

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
  const to = stage.ended_at ? ms(stage.ended_at) : stage.status === "running" || stage.status === "suspended" ? Math.min(now.value, scale.to) : from;
  const took = stage.ended_at && to > from ? span(to - from) : stage.status === "running" ? "running" : "";
  const name = plain(stage.name, 120);
  return (
    <li class={`lane ${open.value ? "is-open" : ""}`}>
      <button
        type="button"
        class="lane-line"
        aria-expanded={open.value}
        aria-label={`${name}, ${statusWords(stage.status)}${took ? `, ${took}` : ""}, ${marks.length} annotations`}
        onClick={() => (open.value = !open.value)}
      >
        <span class="lane-name" title={name}>
          <Status of={stage.status} brief />
          <span class="lane-text">
            <Text most={120}>{stage.name}</Text>
          </span>
          {attempt && <span class="tag">attempt {stage.attempt}</span>}
        </span>
        <span class="track">
          <Bar from={from} to={to} scale={scale} tone={toneOf(stage.status)} />
          <Calls calls={calls} scale={scale} />
          {marks.map((one) => (
            <span
              key={one.id}
              class={`tl-mark ${one.key.startsWith("decision.") || one.key.startsWith("approval.") ? "weighty" : ""}`}
              style={{ left: `${scale.at(ms(one.recorded_at))}%` }}
              title={plain(one.key)}
            />
          ))}
        </span>
        <span class="lane-took num">{took}</span>
      </button>
      {open.value && (
        <div class="lane-body">
          <dl class="fields">
            <div>
              <dt>Started</dt>
              <dd>{exact(stage.started_at)}</dd>
            </div>
            {stage.ended_at && (
              <div>
                <dt>Ended</dt>
                <dd>{exact(stage.ended_at)}</dd>
              </div>
            )}
            <div>
              <dt>Actor</dt>
              <dd>
                <Who by={stage.actor} />
              </dd>
            </div>
            <div>
              <dt>Id</dt>
              <dd>
                <code class="wrap">
                  <Text>{stage.id}</Text>
                </code>
              </dd>
            </div>
          </dl>
          {stage.error !== null && <JsonView value={stage.error} label="error" />}
          {stage.result !== null && <JsonView value={stage.result} label="result" />}
          {marks.length > 0 && (
            <ul class="lane-marks">
              {marks.map((one) => (
                <li key={one.id}>
                  <code class="key">
                    <Text most={120}>{one.key}</Text>
                  </code>{" "}
                  <Text most={300}>{typeof one.value === "string" ? one.value : JSON.stringify(one.value)}</Text>
                </li>
              ))}
            </ul>
          )}
        </div>
      )}
    </li>
  );
}
