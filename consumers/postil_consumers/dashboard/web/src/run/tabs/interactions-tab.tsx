/** The interactions of a run. */

import type { JSX } from "preact";
import { More } from "../../components/controls/more";
import { Empty } from "../../components/states/empty";
import { Question } from "../../waiting/question";
import type { RunStore } from "../store";
import styles from "./fold.module.css";

/** Shows each question of a run with its answer. */
export function InteractionsTab({ store }: { store: RunStore }): JSX.Element {
  const part = store.interactions.value;
  if (!part) return <p class="dim">Loading…</p>;
  if (part.items.length === 0) return <Empty title="This run has no questions.">{null}</Empty>;
  return (
    <>
      <div class={styles.questions}>
        {part.items.map((question) => (
          <Question key={question.id} of={question} runId={store.id} />
        ))}
      </div>
      <More has={part.next !== null} what="interactions" load={() => store.more("interactions")} />
    </>
  );
}
