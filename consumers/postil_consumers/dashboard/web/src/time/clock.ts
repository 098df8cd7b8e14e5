/** The current time as a signal: it changes each second while the page is visible. */

import { signal } from "@preact/signals";

/** Milliseconds since 1970. */
export const now = signal(Date.now());
setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, 1000);
document.addEventListener("visibilitychange", () => {
  now.value = Date.now();
});
