/** A short label in a frame. */

import type { ComponentChildren, JSX } from "preact";
import styles from "./tag.module.css";

/** Shows the label. */
export function Tag({ children }: { children: ComponentChildren }): JSX.Element {
  return <span class={styles.tag}>{children}</span>;
}
