/** The name, status and id of a run. */

import type { JSX } from "preact";
import type { RunDetail } from "../api/types";
import { CopyButton } from "../components/controls/copy-button";
import { Icon } from "../components/marks/icon";
import { Status } from "../components/marks/status";
import { Text } from "../components/values/text";
import { runPath } from "../routing/run-ids";
import styles from "./run.module.css";

/** Shows the heading of the view of a run. */
export function Heading({ run }: { run: RunDetail }): JSX.Element {
  return (
    <header class={styles.runHead}>
      <a
        class={styles.back}
        href="/"
        onClick={(event) => {
          if (history.state && history.length > 1) {
            event.preventDefault();
            history.back();
          }
        }}
      >
        <Icon name="back" /> Runs
      </a>
      <div class={styles.runTitle}>
        <h1>
          <Text>{run.name}</Text>
        </h1>
        <Status of={run.status} />
      </div>
      <p class={styles.runId}>
        <code class="wrap">
          <Text>{run.id}</Text>
        </code>
        <CopyButton text={run.id} label="Copy the run’s id" />
        <CopyButton
          text={() => Promise.resolve(location.origin + runPath(run.id))}
          label="Copy a link to this run"
          icon="link"
        />
      </p>
    </header>
  );
}
