/** The annotations of a run. */

import type { JSX } from "preact";
import type { Annotation } from "../../api/types";
import { More } from "../../components/controls/more";
import { type Field, Fields } from "../../components/layout/fields";
import { Empty } from "../../components/states/empty";
import { ActorName } from "../../components/values/actor";
import { brief } from "../../components/values/brief";
import { Text } from "../../components/values/text";
import { Ago } from "../../components/values/time";
import { exact } from "../../time/format";
import type { RunStore } from "../store";
import { Body, Fold } from "./fold";
import styles from "./fold.module.css";

/** Shows the annotations of a run. */
export function AnnotationsTab({ store }: { store: RunStore }): JSX.Element {
  const part = store.annotations.value;
  if (!part) return <p class="dim">Loading…</p>;
  if (part.items.length === 0)
    return (
      <Empty title="This run has no annotations.">
        <p class="dim">An annotation is written with the work that it describes, in the same transaction.</p>
      </Empty>
    );
  return (
    <>
      <ul class={styles.annotations}>
        {part.items.map((annotation) => (
          <AnnotationLine key={annotation.id} of={annotation} />
        ))}
      </ul>
      <More has={part.next !== null} what="annotations" load={() => store.more("annotations")} />
    </>
  );
}

function AnnotationLine({ of }: { of: Annotation }): JSX.Element {
  const value = brief(of.value);
  return (
    <Fold
      label={`${of.key}: ${value.slice(0, 80)}`}
      line={
        <>
          <code class={styles.seq}>{of.run_seq}</code>
          <code class={styles.key}>
            <Text most={200}>{of.key}</Text>
          </code>
          <span class={styles.value}>
            <Text most={240}>{value}</Text>
          </span>
          <span class={styles.by}>
            <ActorName of={of.actor} />
          </span>
          <span class={styles.when}>
            <Ago at={of.recorded_at} />
          </span>
        </>
      }
    >
      {() => (
        <>
          <Body name="Value" value={of.value} />
          <Body name="Payload" value={of.payload} />
          <Fields
            of={[
              ["About", <Text>{of.scope_id ? `${of.scope} ${of.scope_id}` : of.scope}</Text>],
              ...(of.stage_id ? [["Stage", <Text>{of.stage_id}</Text>] satisfies Field] : []),
              ["Attempt", of.attempt],
              ["Recorded", exact(of.recorded_at)],
              ["Id", <code class="wrap">{of.id}</code>],
            ]}
          />
        </>
      )}
    </Fold>
  );
}
