/** The state of the pipeline. */

import { computed, effect, signal } from "@preact/signals";
import { get, reachability } from "../api/client";
import type { PipelineState } from "../api/types";
import { view } from "../routing/router";
import { troublesOf } from "./troubles";

/** The state that was loaded last; null until the first. */
export const pipeline = signal<PipelineState | null>(null);

/** A sentence for each problem of the pipeline as it is now. */
export const troubles = computed(() => (pipeline.value ? troublesOf(pipeline.value) : []));

async function refreshPipeline(): Promise<void> {
  try {
    pipeline.value = await get<PipelineState>("/pipeline");
  } catch {
    // `reachability` shows the failure on every view
  }
}

/** Loads the state every 5 seconds; every 2 seconds while its view is open or the server does not reply. */
export function startPipeline(): void {
  let seconds = 0;
  setInterval(() => {
    if (document.hidden) return;
    seconds++;
    const isUrgent = reachability.value !== "ok" || view.value.name === "pipeline";
    if (seconds % (isUrgent ? 2 : 5) === 0) void refreshPipeline();
  }, 1000);
  void refreshPipeline();
  effect(() => {
    if (view.value.name === "pipeline") void refreshPipeline();
  });
}
