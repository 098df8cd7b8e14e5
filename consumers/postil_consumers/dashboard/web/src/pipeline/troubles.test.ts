import { expect, test } from "vitest";
import type { PipelineState } from "../api/types";
import { troublesOf } from "./troubles";

const HEALTHY: PipelineState = {
  postgres: { state: "ok", server: "18.0", events: 6, exact: true },
  relay: { state: "ok", unpublished: 0, parked: 0 },
  kafka: { state: "ok", topic: "postil.events", partitions: 6, messages: 6 },
  audit: { state: "ok", reason: null, lag: 0 },
  feed: { state: "live", reason: null, readers: 1, at: 6, held: 6 },
};

test("a pipeline whose parts all work has no problem", () => {
  expect(troublesOf(HEALTHY)).toEqual([]);
});

test("a pipeline that has not published or recorded anything yet has no problem", () => {
  expect(
    troublesOf({
      ...HEALTHY,
      relay: { state: "never" },
      audit: { state: "empty", reason: "no process writes it", lag: null },
    }),
  ).toEqual([]);
});

const BROKEN: [part: string, state: Partial<PipelineState>, words: string][] = [
  ["Postgres down", { postgres: { state: "down", reason: "connection refused." } }, "connection refused."],
  ["relay stopped", { relay: { state: "stopped" } }, "postil relay"],
  ["relay behind", { relay: { state: "behind", oldest_seconds: 61 } }, "1 min"],
  ["relay unknown", { relay: { state: "unknown", reason: "no rights" } }, "no rights."],
  ["a parked run", { relay: { state: "ok", parked: 2 } }, "2 parked"],
  ["Kafka down", { kafka: { state: "down", reason: "no broker" } }, "no broker"],
  ["Kafka not ready", { kafka: { state: "waiting", reason: "no topic" } }, "no topic."],
  ["audit log behind", { audit: { state: "behind", reason: null, lag: 1234 } }, "1,234 events"],
  [
    "audit log not written",
    { audit: { state: "stopped", reason: "its writer has ended", lag: 0 } },
    "ended.",
  ],
  ["audit log waiting", { audit: { state: "waiting", reason: "the disk is full", lag: 5 } }, "disk is full."],
  ["audit log unreadable", { audit: { state: "down", reason: "damaged", lag: null } }, "damaged."],
  ["feed down", { feed: { ...HEALTHY.feed, state: "down", reason: "no Kafka" } }, "no Kafka."],
  ["feed connecting", { feed: { ...HEALTHY.feed, state: "connecting", reason: null } }, "no reason given."],
];

test.each(BROKEN)("one problem names the cause: %s", (_part, state, words) => {
  const problems = troublesOf({ ...HEALTHY, ...state });
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(words);
});
