import { expect, test } from "vitest";
import { runPath } from "./run-ids";
import { viewOf } from "./view";

test("each view has its path, with or without a slash at the end", () => {
  expect(viewOf("/")).toEqual({ name: "runs" });
  expect(viewOf("/runs/")).toEqual({ name: "runs" });
  expect(viewOf("/waiting")).toEqual({ name: "waiting" });
  expect(viewOf("/pipeline/")).toEqual({ name: "pipeline" });
});

test("the path of a run shows that run", () => {
  for (const id of ["run-1", "a/b", "..", "ü"]) expect(viewOf(runPath(id))).toEqual({ name: "run", id });
});

test("a run's id may be percent-encoded by the browser", () => {
  expect(viewOf("/runs/%C3%BC")).toEqual({ name: "run", id: "ü" });
});

test("a path that names no view is unknown, and a malformed one too", () => {
  for (const path of ["/nothing", "/runs/~", "/runs/%FF", "/waiting/1"])
    expect(viewOf(path)).toEqual({ name: "unknown" });
});
