/** Keys that work outside of text fields. */

import { useEffect, useRef } from "preact/hooks";

const TEXT_FIELDS = "input, textarea, select, [contenteditable]";

/**
 * Calls `handle` for each key that is pressed outside of a text field, without Ctrl, Meta or Alt, while the
 * component is shown.
 */
export function useKeys(handle: (event: KeyboardEvent) => void): void {
  const latest = useRef(handle);
  latest.current = handle;
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const isTyping = (event.target as HTMLElement).matches(TEXT_FIELDS);
      if (!isTyping && !event.metaKey && !event.ctrlKey && !event.altKey) latest.current(event);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
