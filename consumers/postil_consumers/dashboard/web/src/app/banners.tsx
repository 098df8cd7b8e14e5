/** Messages below the bar about what does not work now. */

import type { JSX } from "preact";
import { reachability } from "../api/client";
import { feedLostAt } from "../feed/feed";
import { troubles } from "../pipeline/store";
import { view } from "../routing/router";
import { now } from "../time/clock";
import { span } from "../time/format";
import styles from "./banners.module.css";

/** Shows a line for each problem. */
export function Banners(): JSX.Element {
  const lost = feedLostAt.value;
  const lines: string[] = [];
  if (reachability.value === "server-away")
    lines.push(
      "The dashboard’s server does not respond. The page shows the last known state and tries again every second.",
    );
  else if (reachability.value === "database-away")
    lines.push(
      "Postgres does not respond. The page shows the last known state and tries again every second.",
    );
  else if (lost !== null && now.value - lost > 2000)
    lines.push(
      `The live feed has been disconnected for ${span(now.value - lost)}. It resumes without a gap.`,
    );
  if (reachability.value === "ok" && view.value.name !== "pipeline") lines.push(...troubles.value);
  return (
    <div class={styles.banners} role="status" aria-live="polite">
      {lines.map((line) => (
        <p class={styles.banner} data-part="banner" key={line.slice(0, 20)}>
          {line}
        </p>
      ))}
    </div>
  );
}
