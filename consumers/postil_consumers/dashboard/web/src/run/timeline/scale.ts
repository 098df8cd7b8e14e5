/** The time axis of a timeline. */

import type { RunDetail, Stage, ToolCall } from "../../api/types";
import { isTerminal } from "../../feed/reducers";

/** The time that a timeline shows, in milliseconds since 1970. */
export interface Scale {
  from: number;
  to: number;
  /** Returns the place of a time, in percent of the width. */
  at: (ms: number) => number;
}

/** Returns a recorded time in milliseconds since 1970. */
export const ms = (iso: string): number => Date.parse(iso);

/** Returns the scale that holds a run with its stages and calls; that of a run in progress ends at `now`, for 7 days. */
export function scaleOf(
  run: RunDetail,
  stages: readonly Stage[],
  calls: readonly ToolCall[],
  now: number,
): Scale {
  const moments = [...stages, ...calls].flatMap(({ started_at, ended_at }) => [
    ms(started_at),
    ...(ended_at ? [ms(ended_at)] : []),
  ]);
  if (run.started_at) moments.push(ms(run.started_at));
  if (run.ended_at) moments.push(ms(run.ended_at));
  const from = Math.min(...moments);
  const live = !isTerminal(run.status);
  const to = Math.max(...moments, live && now - from < 7 * 86_400_000 ? now : -Infinity);
  const width = Math.max(1, to - from);
  return { from, to, at: (moment) => Math.min(100, Math.max(0, ((moment - from) / width) * 100)) };
}

// Round distances between two ticks, in milliseconds.
const DISTANCES = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((s) => s * 1000),
  ...[1, 2, 5, 10, 15, 30].map((m) => m * 60_000),
  ...[1, 2, 3, 6, 12].map((h) => h * 3_600_000),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 365, 730].map((d) => d * 86_400_000),
];

/** Returns at most five times for the axis, in milliseconds after the scale begins. */
export function ticks(scale: Scale): number[] {
  const width = scale.to - scale.from;
  const step = DISTANCES.find((size) => width / size <= 5.5) ?? width / 4;
  const moments: number[] = [];
  for (let moment = step; moment <= width * 0.97; moment += step) moments.push(moment);
  return moments;
}
