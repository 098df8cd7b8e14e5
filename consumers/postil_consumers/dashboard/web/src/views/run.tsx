/** One run: what it is, what it asks, how it went, why, and every event it left. */

import { useSignalEffect } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { runPath } from "../address";
import { Ago, Copy, Duration, Empty, Failed, Status, Trigger, Who } from "../parts/bits";
import { Icon } from "../parts/icons";
import { JsonView } from "../parts/json";
import { Question } from "../parts/answer";
import { plain, Text } from "../parts/text";
import { place, setQuery } from "../router";
import { RunStore } from "../state/run";
import { terminal } from "../state/apply";
import { answered, keyOf } from "../state/overview";
import type { RunDetail } from "../types";
import { AnnotationsTab, EventsTab, InteractionsTab, ToolCallsTab } from "./run-tabs";
import { Timeline } from "./timeline";
import { Trail } from "./trail";

export function RunView({ id }: { id: string }): JSX.Element {
  const store = useMemo(() => new RunStore(id), [id]);
  useEffect(() => () => store.close(), [store]);
  useSignalEffect(() => {
    document.title = `${plain(store.run.value?.name ?? id, 80)} · Postil`;
  });
  const run = store.run.value;
  const failure = store.failed.value;
  if (!run) {
    if (failure?.status === 404)
      return (
        <Empty title="There is no such run.">
          <p>
            Nothing is recorded under <code class="wrap"><Text most={200}>{id}</Text></code>.
          </p>
          <p>
            <a href="/">All runs</a>
          </p>
        </Empty>
      );
    if (failure && !failure.passing) return <Failed failure={failure} />;
    return (
      <div class="view" role="status" aria-busy="true">
        <span class="sr">Loading the run</span>
        <div class="skeleton"><div /><div /><div /></div>
      </div>
    );
  }
  const asking = (store.interactions.value?.items ?? []).filter(
    (one) => one.status === "pending" || answered.value.has(keyOf(id, one.id)),
  );
  return (
    <div class="view run">
      <Head run={run} />
      {asking.length > 0 && (
        <section class="asking" aria-label="Waiting for an answer">
          {asking.map((one) => (
            <Question key={one.id} of={one} runId={id} />
          ))}
        </section>
      )}
      <div class="run-columns">
        <div class="run-main">
          <Timeline store={store} run={run} />
          <Trail store={store} />
          <Tabs store={store} run={run} />
        </div>
        <Facts run={run} />
      </div>
    </div>
  );
}

function Head({ run }: { run: RunDetail }): JSX.Element {
  return (
    <header class="run-head">
      <a class="back" href="/" onClick={(event) => { if (history.state && history.length > 1) { event.preventDefault(); history.back(); } }}>
        <Icon name="back" /> Runs
      </a>
      <div class="run-title">
        <h1>
          <Text>{run.name}</Text>
        </h1>
        <Status of={run.status} />
      </div>
      <p class="run-id">
        <code class="wrap">
          <Text>{run.id}</Text>
        </code>
        <Copy text={run.id} label="Copy the run’s id" />
        <Copy text={() => Promise.resolve(location.origin + runPath(run.id))} label="Copy a link to this run" icon="link" />
      </p>
    </header>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function Facts({ run }: { run: RunDetail }): JSX.Element {
  const bodies = (["error", "result", "input", "metadata"] as const).filter((name) => run[name] !== null && run[name] !== undefined);
  return (
    <aside class="facts" aria-label="About this run">
      <dl>
        <Fact name="Started">
          <Ago at={run.started_at} />
        </Fact>
        <Fact name="Duration">
          <Duration from={run.started_at} to={run.ended_at} live={!terminal(run.status)} />
        </Fact>
        <Fact name="Actor">
          <Who by={run.actor} />
        </Fact>
        <Fact name="Trigger">
          <Trigger source={run.trigger_source} action={run.trigger_action} />
        </Fact>
        {run.schedule_id && (
          <Fact name="Schedule">
            <Text>{run.schedule_id}</Text>
          </Fact>
        )}
        <Fact name="Attempt">{run.attempt}</Fact>
        {run.parent_id && (
          <Fact name="Parent">
            <a href={runPath(run.parent_id)}>
              <Text>{run.parent_id}</Text>
            </a>
          </Fact>
        )}
        {run.root_id !== run.id && run.root_id !== run.parent_id && (
          <Fact name="Root">
            <a href={runPath(run.root_id)}>
              <Text>{run.root_id}</Text>
            </a>
          </Fact>
        )}
        {run.replay_of && (
          <Fact name="Replay of">
            <a href={runPath(run.replay_of)}>
              <Text>{run.replay_of}</Text>
            </a>
          </Fact>
        )}
        <Fact name="Recorded">
          <Ago at={run.created_at} />
        </Fact>
        <Fact name="Events">{run.head.toLocaleString()}</Fact>
      </dl>
      {bodies.map((name) => (
        <section key={name} class={`body-${name}`}>
          <h2>{{ error: "Error", result: "Result", input: "Input", metadata: "Metadata" }[name]}</h2>
          <JsonView value={run[name]} label={name} />
        </section>
      ))}
    </aside>
  );
}

const TABS = ["annotations", "tool-calls", "interactions", "events"] as const;
type Tab = (typeof TABS)[number];

function Tabs({ store, run }: { store: RunStore; run: RunDetail }): JSX.Element {
  const asked = place.value.query.get("tab");
  const tab: Tab = TABS.find((one) => one === asked) ?? "annotations";
  const size = (part: { items: unknown[]; next: string | null } | null): string =>
    part === null ? "" : part.next ? `${part.items.length}+` : String(part.items.length);
  const named: Record<Tab, [string, string]> = {
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
    <section class="tabs" aria-label="Everything recorded">
      <div role="tablist" aria-label="Everything recorded" onKeyDown={onKey}>
        {TABS.map((one) => (
          <button
            key={one}
            type="button"
            role="tab"
            id={`tab-${one}`}
            aria-selected={one === tab}
            aria-controls="tab-panel"
            tabIndex={one === tab ? 0 : -1}
            onClick={() => setQuery({ tab: one === "annotations" ? null : one }, true)}
          >
            {named[one][0]} <span class="tab-count">{named[one][1]}</span>
          </button>
        ))}
      </div>
      <div role="tabpanel" id="tab-panel" aria-labelledby={`tab-${tab}`} tabIndex={0}>
        {tab === "annotations" && <AnnotationsTab store={store} />}
        {tab === "tool-calls" && <ToolCallsTab store={store} />}
        {tab === "interactions" && <InteractionsTab store={store} />}
        {tab === "events" && <EventsTab store={store} />}
      </div>
    </section>
  );
}
