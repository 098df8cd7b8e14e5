/** Times and durations that change while the page is open. */

import type { JSX } from "preact";
import { now } from "../../time/clock";
import { ago, exact, span } from "../../time/format";

/** Shows a time relative to now, and exactly on hover. */
export function Ago({ at }: { at: string | null }): JSX.Element {
  if (at === null) return <span class="dim">–</span>;
  return (
    <time dateTime={at} title={exact(at)}>
      {ago(at, now.value)}
    </time>
  );
}

/** Shows a duration; it grows while `live` is true and `to` is null. */
export function Duration({
  from,
  to,
  live,
}: {
  from: string | null;
  to: string | null;
  live: boolean;
}): JSX.Element {
  if (from === null || (to === null && !live)) return <span class="dim">–</span>;
  const end = to === null ? now.value : Date.parse(to);
  return <span class="num">{span(Math.max(0, end - Date.parse(from)))}</span>;
}
