/** The text in place of the list while nothing is recorded. */

import type { JSX } from "preact";
import { Empty } from "../components/states/empty";
import styles from "./first-steps.module.css";

/** Shows the commands that record something. */
export function FirstSteps(): JSX.Element {
  return (
    <Empty title="Nothing is recorded yet.">
      <p>Bring in a history you have, or watch something run:</p>
      <dl class={styles.steps}>
        <dt>
          <code>postil import FILE…</code>
        </dt>
        <dd>event logs (.xes, .xes.gz) and coding-agent trajectories (.traj)</dd>
        <dt>
          <code>postil demo DIR</code>
        </dt>
        <dd>a workflow over a folder of yours, with an approval you answer here</dd>
      </dl>
      <p class="dim">Runs appear here the moment they are committed; there is no need to reload.</p>
    </Empty>
  );
}
