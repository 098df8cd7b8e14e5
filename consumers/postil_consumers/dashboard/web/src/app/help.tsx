/** The list of keys. */

import { signal } from "@preact/signals";
import { Fragment, type JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { session } from "../api/session";
import buttons from "../components/controls/button.module.css";
import { classes } from "../components/layout/classes";
import styles from "./help.module.css";

/** Whether the list is open. */
export const isHelpOpen = signal(false);

const KEYS: [keys: string, does: string][] = [
  ["/", "Filter runs"],
  ["j  k", "Next, previous run"],
  ["Enter", "Open the run"],
  ["Esc", "Leave the filter, close, go back to the list"],
  ["g r", "Runs"],
  ["g w", "Waiting"],
  ["g p", "Pipeline"],
  ["?", "This help"],
];

/** Shows the list of keys while it is open. */
export function Help(): JSX.Element | null {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isHelpOpen.value) dialog.current?.showModal();
    else dialog.current?.close();
  });
  void isHelpOpen.value;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click outside closes the list; its key is Escape, which <dialog> handles
    <dialog
      ref={dialog}
      class={styles.help}
      aria-labelledby="help-title"
      onClose={() => (isHelpOpen.value = false)}
      onClick={(event) => event.target === event.currentTarget && event.currentTarget.close()}
    >
      <h2 id="help-title">Keyboard</h2>
      <dl>
        {KEYS.map(([keys, does]) => (
          <Fragment key={keys}>
            <dt>
              {keys
                .split(" ")
                .filter(Boolean)
                .map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
            </dt>
            <dd>{does}</dd>
          </Fragment>
        ))}
      </dl>
      <button type="button" class={buttons.button} onClick={() => dialog.current?.close()}>
        Close
      </button>
      {session.value && <p class={classes("dim", styles.version)}>Postil {session.value.version}</p>}
    </dialog>
  );
}
