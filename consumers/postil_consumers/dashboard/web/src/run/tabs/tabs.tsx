/** The lists of a run: annotations, tool calls, interactions, events. */

import type { JSX } from "preact";
import type { RunDetail } from "../../api/types";
import { place, setQuery } from "../../routing/router";
import type { RunStore } from "../store";
import { AnnotationsTab } from "./annotations-tab";
import { EventsTab } from "./events-tab";
import { InteractionsTab } from "./interactions-tab";
import styles from "./tabs.module.css";
import { ToolCallsTab } from "./tool-calls-tab";

const TABS = ["annotations", "tool-calls", "interactions", "events"] as const;
type Tab = (typeof TABS)[number];

/** Shows the list that the URL names, and tabs for the others. */
export function Tabs({ store, run }: { store: RunStore; run: RunDetail }): JSX.Element {
  const requested = place.value.query.get("tab");
  const tab: Tab = TABS.find((name) => name === requested) ?? "annotations";
  const size = (part: { items: unknown[]; next: string | null } | null): string =>
    part === null ? "" : part.next ? `${part.items.length}+` : String(part.items.length);
  const labels: Record<Tab, [string, string]> = {
    annotations: ["Annotations", size(store.annotations.value)],
    "tool-calls": ["Tool calls", size(store.toolCalls.value)],
    interactions: ["Interactions", size(store.interactions.value)],
    events: ["Events", run.head.toLocaleString()],
  };
  const onKey = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const to = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length] as Tab;
    setQuery({ tab: to === "annotations" ? null : to });
    document.getElementById(`tab-${to}`)?.focus();
  };
  return (
    <section aria-label="Everything recorded">
      <div class={styles.tablist} role="tablist" aria-label="Everything recorded" onKeyDown={onKey}>
        {TABS.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            class={styles.tab}
            id={`tab-${name}`}
            aria-selected={name === tab}
            aria-controls="tab-panel"
            tabIndex={name === tab ? 0 : -1}
            onClick={() => setQuery({ tab: name === "annotations" ? null : name }, true)}
          >
            {labels[name][0]} <span class={styles.tabCount}>{labels[name][1]}</span>
          </button>
        ))}
      </div>
      <div class={styles.tabpanel} role="tabpanel" id="tab-panel" aria-labelledby={`tab-${tab}`} tabIndex={0}>
        {tab === "annotations" && <AnnotationsTab store={store} />}
        {tab === "tool-calls" && <ToolCallsTab store={store} />}
        {tab === "interactions" && <InteractionsTab store={store} />}
        {tab === "events" && <EventsTab store={store} />}
      </div>
    </section>
  );
}
