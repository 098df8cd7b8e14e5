/** A round mark in the colour of its text. */

import type { JSX } from "preact";
import styles from "./dot.module.css";

/** Shows the mark; it is decorative, so words stand next to it. */
export function Dot(): JSX.Element {
  return <span class={styles.dot} data-part="dot" aria-hidden="true" />;
}
