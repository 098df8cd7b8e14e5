import { expect, test } from "vitest";
import { ago, span } from "./format";

const NOW = Date.parse("2026-03-10T12:00:00Z");
const before = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString();

test.each([
  [0, "now"],
  [1, "now"],
  [2, "2 s ago"],
  [59, "59 s ago"],
  [60, "1 min ago"],
  [3599, "59 min ago"],
  [3600, "1 h ago"],
  [86_399, "23 h ago"],
  [86_400, "1 d ago"],
  [6 * 86_400, "6 d ago"],
])("%i seconds before now is written as %s", (seconds, text) => {
  expect(ago(before(seconds), NOW)).toBe(text);
});

test("a time more than a week ago is a date; one of another year has its year", () => {
  expect(ago(before(30 * 86_400), NOW)).not.toMatch(/ago|2026/);
  expect(ago(before(365 * 86_400), NOW)).toMatch(/2025/);
});

test("a time up to 5 seconds ahead is now", () => {
  expect(ago(before(-5), NOW)).toBe("now");
  expect(ago(before(-60), NOW)).toMatch(/2026/);
});

test.each([
  [0, "0 ms"],
  [0.4, "< 1 ms"],
  [830, "830 ms"],
  [4200, "4.2 s"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [200_000, "3 min 20 s"],
  [3_600_000, "1 h"],
  [(5 * 24 + 4) * 3_600_000, "5 d 4 h"],
])("%f milliseconds are written as %s", (milliseconds, text) => {
  expect(span(milliseconds)).toBe(text);
});

test("a duration that is not known is a dash", () => {
  for (const milliseconds of [Number.NaN, -1, Number.POSITIVE_INFINITY]) expect(span(milliseconds)).toBe("–");
});
