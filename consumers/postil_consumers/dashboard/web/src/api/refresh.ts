/** Repeats a request as often as it is useful. */

import { Failure } from "./client";

/**
 * Returns a function that runs `task` soon, at most once per `ms`; the last call is never dropped.
 * After a transient failure it runs again.
 */
export function atMostEvery(task: () => Promise<void>, ms: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let ranAt = 0;
  const soon = (): void => {
    if (timer !== undefined) return;
    timer = setTimeout(
      async () => {
        timer = undefined;
        ranAt = Date.now();
        try {
          await task();
        } catch (error) {
          if (error instanceof Failure && error.isTransient) soon();
        }
      },
      Math.max(0, ranAt + ms - Date.now()),
    );
  };
  return soon;
}
