/** The keys that work on every view. */

import { useEffect } from "preact/hooks";
import { view } from "../routing/router";
import { isHelpOpen } from "./help";

/** Handles the keys while the page is open. */
export function useKeys(): void {
  useEffect(() => {
    let chord = false;
    const onKey = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      const typing = target.matches("input, textarea, select, [contenteditable]");
      if (typing || event.metaKey || event.ctrlKey || event.altKey) return;
      if (chord) {
        chord = false;
        const to = { r: "/", w: "/waiting", p: "/pipeline" }[event.key];
        if (to) {
          event.preventDefault();
          document.querySelector<HTMLAnchorElement>(`header nav a[href="${to}"]`)?.click();
        }
        return;
      }
      if (event.key === "g") chord = true;
      else if (event.key === "?") {
        event.preventDefault();
        isHelpOpen.value = true;
      } else if (event.key === "Escape" && view.value.name !== "runs" && !isHelpOpen.value) {
        if (history.length > 1 && (history.state as { scroll?: number } | null)) history.back();
        else document.querySelector<HTMLAnchorElement>('header a[href="/"]')?.click();
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
