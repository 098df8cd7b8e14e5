/** The button at the end of a list that is not loaded completely. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import styles from "./more.module.css";

/** Loads the next page of a list. */
export function More({
  has,
  what,
  load,
}: {
  has: boolean;
  what: string;
  load: () => Promise<void>;
}): JSX.Element | null {
  const busy = useSignal(false);
  if (!has) return null;
  const go = async (): Promise<void> => {
    busy.value = true;
    try {
      await load();
    } finally {
      busy.value = false;
    }
  };
  return (
    <button type="button" class={styles.more} disabled={busy.value} onClick={() => void go()}>
      {busy.value ? "Loading…" : `Show more ${what}`}
    </button>
  );
}
