/** The questions that wait for a person. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { WaitingInteraction } from "../api/types";
import { More } from "../components/controls/more";
import { classes } from "../components/layout/classes";
import layout from "../components/layout/view.module.css";
import { Empty } from "../components/states/empty";
import { Failed } from "../components/states/failed";
import { Skeleton } from "../components/states/skeleton";
import { Text } from "../components/values/text";
import { runPath } from "../routing/run-ids";
import { Question } from "./question";
import { keyOf, moreWaiting, refreshWaiting, waiting, waitingFailed } from "./store";
import styles from "./waiting.module.css";

/** Shows every question that waits for a person, the oldest first, each with its form. */
export function WaitingView(): JSX.Element {
  // A question that was open on this page keeps its place and shows its outcome. The list can lack it before the feed
  // reports how it ended, and a user who is writing an answer must see that.
  const earlier = useSignal<ReadonlyMap<string, WaitingInteraction>>(new Map());
  useEffect(() => refreshWaiting(), []);
  const open = waiting.value;
  const all = new Map([
    ...earlier.value,
    ...(open?.items ?? []).map((question) => [keyOf(question.run_id, question.id), question] as const),
  ]);
  useEffect(() => {
    earlier.value = all;
  }, [open]);
  const shown = open ? [...all.values()].sort((a, b) => a.asked_at.localeCompare(b.asked_at)) : [];
  return (
    <div class={classes(layout.view, styles.waiting)}>
      <h1>Waiting for a person</h1>
      {waitingFailed.value && !waitingFailed.value.isTransient && <Failed failure={waitingFailed.value} />}
      {!open ? (
        <Skeleton lines={2} label="Loading" />
      ) : shown.length === 0 ? (
        <Empty title="Nothing waits for you.">
          <p class="dim">
            When a run asks for an approval or an answer, it appears here at once.{" "}
            <code>postil demo DIR</code> asks for one.
          </p>
        </Empty>
      ) : (
        <>
          <ul class={styles.waitingList}>
            {shown.map((question) => (
              <li key={keyOf(question.run_id, question.id)} data-part="waiting">
                <p class={styles.ofRun}>
                  <a href={runPath(question.run_id)}>
                    <Text most={200}>{question.run_name}</Text>
                  </a>
                  <code class={styles.id}>
                    <Text most={200}>{question.run_id}</Text>
                  </code>
                </p>
                <Question of={question} runId={question.run_id} />
              </li>
            ))}
          </ul>
          <More has={open.next !== null} what="questions" load={moreWaiting} />
        </>
      )}
    </div>
  );
}
