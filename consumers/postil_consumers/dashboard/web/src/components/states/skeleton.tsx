/** The place of content that is being loaded. */

import type { JSX } from "preact";
import styles from "./skeleton.module.css";

/** Shows `lines` grey lines, and `label` to screen readers. */
export function Skeleton({ lines, label }: { lines: number; label: string }): JSX.Element {
  return (
    <div class={styles.skeleton} aria-busy="true" role="status">
      <span class="sr">{label}</span>
      {Array.from({ length: lines }, (_, index) => (
        <div key={index} />
      ))}
    </div>
  );
}
