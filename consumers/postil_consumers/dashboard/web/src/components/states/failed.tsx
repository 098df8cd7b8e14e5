/** A failed request. */

import type { JSX } from "preact";
import type { Failure } from "../../api/client";
import { Text } from "../values/text";
import styles from "./failed.module.css";

/** Shows what failed and what to do. */
export function Failed({ failure }: { failure: Failure }): JSX.Element {
  return (
    <div class={styles.failedBox} role="alert">
      <p>
        <Text>{failure.what}</Text>
      </p>
      {failure.advice && <p class="dim">{failure.advice}</p>}
    </div>
  );
}
