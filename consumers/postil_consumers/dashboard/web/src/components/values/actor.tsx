/** The actor of a record. */

import type { JSX } from "preact";
import type { Actor } from "../../api/types";
import styles from "./actor.module.css";
import { plain, Text } from "./text";

/** Shows the kind, id and version of an actor. */
export function ActorName({ of }: { of: Actor | null }): JSX.Element {
  if (of === null) return <span class="dim">–</span>;
  const whole = plain(`${of.kind} ${of.id}${of.version ? ` ${of.version}` : ""}`);
  return (
    <span class={styles.who} data-part="who" title={whole}>
      <span class={styles.kind}>
        <Text most={40}>{of.kind}</Text>
      </span>{" "}
      <Text most={80}>{of.id}</Text>
      {of.version && (
        <span class="dim">
          {" "}
          <Text most={30}>{of.version}</Text>
        </span>
      )}
    </span>
  );
}
