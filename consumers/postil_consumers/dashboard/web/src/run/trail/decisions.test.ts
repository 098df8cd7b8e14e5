import { expect, test } from "vitest";
import type { Annotation, ToolCall } from "../../api/types";
import { callInWords, notesOf } from "./decisions";

const annotation = (group: string, key: string, value: unknown): Annotation => ({
  id: `${group}/${key}`,
  run_seq: 1,
  attempt: 1,
  try: null,
  stage_id: null,
  group_id: group,
  scope: "run",
  scope_id: null,
  actor: null,
  key,
  value,
  payload: null,
  recorded_at: "2026-01-01T00:00:00Z",
});

test("the annotations of one group and one convention are one decision", () => {
  const notes = notesOf([
    annotation("1", "decision.outcome", "refund"),
    annotation("1", "decision.rationale", "charged twice"),
    annotation("2", "decision.outcome", "close"),
    annotation("2", "failure.type", "Timeout"),
  ]);
  expect(notes.map((note) => [note.kind, [...note.fields.keys()]])).toEqual([
    ["decision", ["outcome", "rationale"]],
    ["decision", ["outcome"]],
    ["failure", ["type"]],
  ]);
});

test("the trigger of a run is not one of its decisions", () => {
  expect(notesOf([annotation("1", "trigger.source", "api")])).toEqual([]);
});

const call = (name: string, input: unknown): ToolCall => ({
  id: "call",
  kind: "tool",
  name,
  status: "completed",
  attempt: 1,
  stage_id: null,
  actor: null,
  arguments: input,
  result: null,
  error: null,
  started_at: "2026-01-01T00:00:00Z",
  ended_at: null,
  duration_ms: null,
});

test("a call is written with its arguments, each once", () => {
  expect(callInWords(call("orders.lookup", { order: "A-1", currency: "EUR" }))).toBe(
    "orders.lookup · A-1 · EUR",
  );
  expect(callInWords(call("edit", { command: "edit 1:2", again: "edit 1:2" }))).toBe("edit 1:2");
  expect(callInWords(call("stop", null))).toBe("stop");
});
