/** Names with their values. */

import type { ComponentChildren, JSX } from "preact";
import styles from "./fields.module.css";

export type Field = [name: string, value: ComponentChildren];

/** Shows the fields in as many columns as fit. */
export function Fields({ of }: { of: Field[] }): JSX.Element {
  return (
    <dl class={styles.fields}>
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
