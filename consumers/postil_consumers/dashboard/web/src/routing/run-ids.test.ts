import { expect, test } from "vitest";
import { fromSegment, runPath, toSegment } from "./run-ids";

const IDS = [
  "run-1",
  "a b",
  "a/b",
  "100%",
  "~",
  "..",
  ".hidden",
  "ü",
  "🏴‍☠️",
  "%2F",
  "~2F",
  "a?b#c",
  "\u202egnp.exe",
];

test("an id is the same after it was written as a segment and read back", () => {
  for (const id of IDS) expect(fromSegment(toSegment(id))).toBe(id);
});

test("a segment has only characters that no URL, proxy or browser changes", () => {
  for (const id of IDS) expect(toSegment(id)).toMatch(/^[A-Za-z0-9_:~-][A-Za-z0-9_.:~-]*$/);
});

test("a malformed segment has no id", () => {
  for (const segment of ["~", "~4", "~XX", "~FF", "~C3"]) expect(fromSegment(segment)).toBeNull();
});

test("the path of a run begins with /runs/", () => {
  expect(runPath("a/b")).toBe("/runs/a~2Fb");
});
