/** The status of a run, stage or call: an icon and a word. */

import type { JSX } from "preact";
import { Icon } from "./icon";
import styles from "./status.module.css";

const STATUSES: Record<string, [icon: string, words: string, tone: string]> = {
  pending: ["pending", "Pending", "quiet"],
  running: ["running", "Running", "running"],
  waiting_for_interaction: ["waiting", "Waiting", "waiting"],
  suspended: ["waiting", "Suspended", "waiting"],
  completed: ["completed", "Completed", "completed"],
  resolved: ["completed", "Resolved", "completed"],
  failed: ["failed", "Failed", "failed"],
  cancelled: ["cancelled", "Cancelled", "quiet"],
};

/** Returns the word for a status. */
export const statusWords = (status: string): string => STATUSES[status]?.[1] ?? status;

/** Shows a status; `brief` shows the icon only, and the word to screen readers and on hover. */
export function Status({ of, brief = false }: { of: string; brief?: boolean }): JSX.Element {
  const [icon, words, tone] = STATUSES[of] ?? ["pending", of, "quiet"];
  return (
    <span class={styles.status} data-part="status" data-tone={tone} title={brief ? words : undefined}>
      <Icon name={icon} />
      <span class={brief ? "sr" : ""}>{words}</span>
    </span>
  );
}
