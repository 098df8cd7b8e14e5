/** The number of runs in each status. */

import { signal } from "@preact/signals";
import { get } from "../api/client";
import { atMostEvery } from "../api/refresh";
import type { RunStatus } from "../api/types";
import { feedReady, onFeed } from "../feed/feed";

export const totals = signal<Record<RunStatus, number> | null>(null);

const refreshTotals = atMostEvery(async () => {
  totals.value = await get<Record<RunStatus, number>>("/totals");
}, 1200);

/** Loads the numbers, and again after each change of a run. */
export function startTotals(): void {
  onFeed((events) => {
    if (events.some((event) => event.type.startsWith("run:"))) refreshTotals();
  }, refreshTotals);
  void feedReady.then(refreshTotals);
}
