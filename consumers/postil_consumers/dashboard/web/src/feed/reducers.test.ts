import { expect, test } from "vitest";
import type { Envelope, Interaction, Stage } from "../api/types";
import {
  applyToAnnotations,
  applyToInteractions,
  applyToRun,
  applyToStages,
  isTerminal,
  runFrom,
} from "./reducers";

function event(
  runseq: number,
  type: string,
  data: Record<string, unknown> = {},
  trimmed?: string[],
): Envelope {
  return {
    specversion: "1.0",
    id: `event-${runseq}`,
    source: "/postil",
    type,
    subject: "run",
    time: `2026-01-01T00:00:${String(runseq).padStart(2, "0")}Z`,
    recordedtime: "2026-01-01T00:00:00Z",
    datacontenttype: "application/json",
    tenant: "default",
    runid: "run",
    runseq,
    attempt: 1,
    rootrun: "run",
    data,
    ...(trimmed ? { trimmed } : {}),
  };
}

const created = event(1, "run:created", { name: "refund", status: "running", trigger: { source: "api" } });
const history = [
  event(2, "stage:started", { id: "triage", name: "Triage", status: "running" }),
  event(3, "annotation:created", { id: "a", key: "decision.outcome", value: "refund" }),
  event(4, "interaction:created", { id: "q", status: "pending" }),
  event(5, "interaction:resolved", { id: "q", status: "resolved" }),
  event(6, "stage:completed", { id: "triage", status: "completed" }),
  event(7, "run:completed", { status: "completed", ended_at: "2026-01-01T00:00:07Z" }),
];

test("the first event describes the run", () => {
  expect(runFrom(created)).toMatchObject({
    id: "run",
    name: "refund",
    status: "running",
    head: 1,
    trigger_source: "api",
  });
});

test("each event of a run changes its counts and its status", () => {
  const seen = new Set<string>();
  const run = history.reduce((before, next) => applyToRun(before, next, seen), runFrom(created));
  expect(run).toMatchObject({ status: "completed", head: 7, stages: 1, annotations: 1, pending: 0 });
  expect(isTerminal(run.status)).toBe(true);
});

test("an event that was applied before changes nothing", () => {
  let run = runFrom(created);
  for (const next of history) {
    run = applyToRun(run, next);
    expect(applyToRun(run, next)).toBe(run);
  }
});

test("a stage that is recorded as a whole is counted once if the page knows the stages", () => {
  const whole = event(2, "stage:completed", { id: "one", status: "completed" });
  expect(applyToRun(runFrom(created), whole, new Set()).stages).toBe(1);
  expect(applyToRun(runFrom(created), whole).stages).toBe(0);
});

test("the number of pending questions is never negative", () => {
  expect(applyToRun(runFrom(created), event(2, "interaction:resolved", { id: "q" })).pending).toBe(0);
});

test("a later event of a stage replaces the fields that it has, and keeps the others", () => {
  const stages = history.reduce<Stage[]>(applyToStages, []);
  expect(stages).toHaveLength(1);
  expect(stages[0]).toMatchObject({ id: "triage", name: "Triage", status: "completed" });
});

test("a field that the feed left out for its size keeps its value", () => {
  const before = applyToStages([], event(2, "stage:started", { id: "s", name: "S", result: "old" }));
  const after = applyToStages(before, event(3, "stage:completed", { id: "s", result: null }, ["result"]));
  expect(after[0]).toMatchObject({ result: "old" });
});

test("an annotation has the number and the time of its event", () => {
  const annotations = history.reduce(applyToAnnotations, []);
  expect(annotations).toMatchObject([{ id: "a", run_seq: 3, recorded_at: "2026-01-01T00:00:03Z" }]);
  expect(history.reduce(applyToAnnotations, annotations)).toEqual(annotations);
});

test("events of other kinds leave a list as it is", () => {
  const interactions: Interaction[] = [];
  expect(applyToInteractions(interactions, created)).toBe(interactions);
});
