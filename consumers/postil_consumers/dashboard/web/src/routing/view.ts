/** Which view a URL path names. */

import { fromSegment } from "./run-ids";

/** A view, with the id of the run that it shows. */
export type View =
  | { name: "runs" }
  | { name: "run"; id: string }
  | { name: "waiting" }
  | { name: "pipeline" }
  | { name: "unknown" };

/** Returns the view of a URL path. */
export function viewOf(urlPath: string): View {
  const path = urlPath.replace(/\/+$/, "");
  if (path === "" || path === "/runs") return { name: "runs" };
  if (path === "/waiting" || path === "/pipeline") return { name: path.slice(1) as "waiting" | "pipeline" };
  if (path.startsWith("/runs/")) {
    const id = idOf(path.slice("/runs/".length));
    if (id !== null) return { name: "run", id };
  }
  return { name: "unknown" };
}

/** Returns the id of a segment that the browser may have percent-encoded, or null if it is malformed. */
function idOf(segment: string): string | null {
  try {
    return fromSegment(decodeURI(segment));
  } catch {
    return null; // not UTF-8
  }
}
