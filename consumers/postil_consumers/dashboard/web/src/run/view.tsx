/** The view of one run. */

import { useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import layout from "../components/layout/view.module.css";
import { Empty } from "../components/states/empty";
import { Failed } from "../components/states/failed";
import { Skeleton } from "../components/states/skeleton";
import { plain, Text } from "../components/values/text";
import { Question } from "../waiting/question";
import { answered, keyOf } from "../waiting/store";
import { Facts } from "./facts";
import { Heading } from "./heading";
import styles from "./run.module.css";
import { RunStore } from "./store";
import { Tabs } from "./tabs/tabs";
import { Timeline } from "./timeline/timeline";
import { Trail } from "./trail/trail";

/** Shows a run; its parts change while the page is open. */
export function RunView({ id }: { id: string }): JSX.Element {
  const store = useMemo(() => new RunStore(id), [id]);
  useEffect(() => () => store.close(), [store]);
  useSignalEffect(() => {
    document.title = `${plain(store.run.value?.name ?? id, 80)} · Postil`;
  });
  const run = store.run.value;
  const failure = store.failed.value;
  if (!run) {
    if (failure?.status === 404)
      return (
        <Empty title="There is no such run.">
          <p>
            Nothing is recorded under{" "}
            <code class="wrap">
              <Text most={200}>{id}</Text>
            </code>
            .
          </p>
          <p>
            <a href="/">All runs</a>
          </p>
        </Empty>
      );
    if (failure && !failure.isTransient) return <Failed failure={failure} />;
    return (
      <div class={layout.view}>
        <Skeleton lines={3} label="Loading the run" />
      </div>
    );
  }
  const asking = (store.interactions.value?.items ?? []).filter(
    (question) => question.status === "pending" || answered.value.has(keyOf(id, question.id)),
  );
  return (
    <div class={layout.view}>
      <Heading run={run} />
      {asking.length > 0 && (
        <section class={styles.asking} aria-label="Waiting for an answer">
          {asking.map((question) => (
            <Question key={question.id} of={question} runId={id} />
          ))}
        </section>
      )}
      <div class={styles.runColumns}>
        <div class={styles.runMain}>
          <Timeline store={store} run={run} />
          <Trail store={store} />
          <Tabs store={store} run={run} />
        </div>
        <Facts run={run} />
      </div>
    </div>
  );
}
