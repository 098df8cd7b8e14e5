/** The text in place of an empty list. */

import type { ComponentChildren, JSX } from "preact";
import styles from "./empty.module.css";

/** Shows a title and advice where there is nothing to list. */
export function Empty({ title, children }: { title: string; children: ComponentChildren }): JSX.Element {
  return (
    <div class={styles.empty}>
      <p class={styles.emptyTitle}>{title}</p>
      {children}
    </div>
  );
}
