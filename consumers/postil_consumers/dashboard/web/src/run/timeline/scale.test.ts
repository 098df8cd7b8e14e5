import { expect, test } from "vitest";
import type { RunDetail, Stage } from "../../api/types";
import { scaleOf, ticks } from "./scale";

const at = (seconds: number): string => new Date(seconds * 1000).toISOString();
const run = (status: RunDetail["status"], from: number, to: number | null): RunDetail =>
  ({ status, started_at: at(from), ended_at: to === null ? null : at(to) }) as RunDetail;
const stage = (from: number, to: number): Stage => ({ started_at: at(from), ended_at: at(to) }) as Stage;

test("the scale of an ended run holds the run and its stages", () => {
  const scale = scaleOf(run("completed", 10, 20), [stage(5, 25)], [], 1e12);
  expect([scale.from, scale.to]).toEqual([5000, 25_000]);
  expect([5000, 15_000, 25_000].map(scale.at)).toEqual([0, 50, 100]);
});

test("the scale of a run in progress ends now, for 7 days", () => {
  expect(scaleOf(run("running", 0, null), [], [], 60_000).to).toBe(60_000);
  expect(scaleOf(run("running", 0, null), [], [], 8 * 86_400_000).to).toBe(0);
});

test("a time outside the scale is at its edge", () => {
  const scale = scaleOf(run("completed", 10, 20), [], [], 0);
  expect([scale.at(0), scale.at(1e9)]).toEqual([0, 100]);
});

test("the axis has at most five ticks, at equal and round distances", () => {
  for (const width of [0, 3, 999, 5500, 61_000, 86_400_000, 4e11]) {
    const moments = ticks({ from: 0, to: width, at: (ms) => ms });
    expect(moments.length).toBeLessThanOrEqual(5);
    for (const [index, moment] of moments.entries())
      expect(moment).toBeCloseTo((moments[0] ?? 0) * (index + 1), 3);
  }
});
