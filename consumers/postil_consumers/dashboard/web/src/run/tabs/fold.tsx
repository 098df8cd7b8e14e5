/** A line that opens to show all that it stands for. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { classes } from "../../components/layout/classes";
import { Icon } from "../../components/marks/icon";
import { JsonView } from "../../components/values/json";
import styles from "./fold.module.css";

/** Shows `line`, and below it `children` while it is open; `label` names it to screen readers. */
export function Fold({
  line,
  children,
  label,
}: {
  line: ComponentChildren;
  children: () => ComponentChildren;
  label: string;
}): JSX.Element {
  const open = useSignal(false);
  return (
    <li class={classes(styles.fold, open.value && styles.isOpen)}>
      <button
        type="button"
        class={styles.foldLine}
        aria-expanded={open.value}
        aria-label={label}
        onClick={() => (open.value = !open.value)}
      >
        <Icon name="chevron" />
        {line}
      </button>
      {open.value && (
        <div class={styles.foldBody} data-part="fold-body">
          {children()}
        </div>
      )}
    </li>
  );
}

/** Shows a recorded value under its name; nothing if there is none. */
export function Body({ name, value }: { name: string; value: unknown }): JSX.Element | null {
  if (value === null || value === undefined) return null;
  return (
    <div class={styles.bodyPart}>
      <h3>{name}</h3>
      <JsonView value={value} label={name.toLowerCase()} />
    </div>
  );
}
