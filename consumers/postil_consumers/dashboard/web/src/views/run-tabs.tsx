/** The tabs of a run: every annotation, tool call, interaction and event, each expandable to all it holds. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { getText } from "../api";
import { runPath } from "../address";
import { exact, span, timeOfDay } from "../clock";
import { Ago, Copy, Empty, More, Status, Who } from "../parts/bits";
import { Icon } from "../parts/icons";
import { brief, JsonView } from "../parts/json";
import { Question } from "../parts/answer";
import { Text } from "../parts/text";
import type { RunStore } from "../state/run";
import type { Annotation, LoggedEvent, ToolCall } from "../types";

function Fold({ line, children, label }: { line: ComponentChildren; children: () => ComponentChildren; label: string }): JSX.Element {
  const open = useSignal(false);
  return (
    <li class={`fold ${open.value ? "is-open" : ""}`}>
      <button type="button" class="fold-line" aria-expanded={open.value} aria-label={label} onClick={() => (open.value = !open.value)}>
        <Icon name="chevron" />
        {line}
      </button>
      {open.value && <div class="fold-body">{children()}</div>}
    </li>
  );
}

function Body({ name, value }: { name: string; value: unknown }): JSX.Element | null {
  if (value === null || value === undefined) return null;
  return (
    <div class="body-part">
      <h3>{name}</h3>
      <JsonView value={value} label={name.toLowerCase()} />
    </div>
  );
}

const Fields = ({ of }: { of: [string, ComponentChildren][] }): JSX.Element => (
  <dl class="fields">
    {of.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
);

export function AnnotationsTab({ store }: { store: RunStore }): JSX.Element {
  const part = store.annotations.value;
  if (!part) return <p class="dim">Loading…</p>;
  if (part.items.length === 0)
    return (
      <Empty title="This run has no annotations.">
        <p class="dim">An annotation is written with the work that it describes, in the same transaction.</p>
      </Empty>
    );
  return (
    <>
      <ul class="folds annotations">
        {part.items.map((one) => (
          <AnnotationLine key={one.id} of={one} />
        ))}
      </ul>
      <More has={part.next !== null} what="annotations" load={() => store.more("annotations")} />
    </>
  );
}

function AnnotationLine({ of }: { of: Annotation }): JSX.Element {
  const value = brief(of.value);
  return (
    <Fold
      label={`${of.key}: ${value.slice(0, 80)}`}
      line={
        <>
          <span class="seq">{of.run_seq}</span>
          <code class="key">
            <Text most={200}>{of.key}</Text>
          </code>
          <span class="value">
            <Text most={240}>{value}</Text>
          </span>
          <span class="by">
            <Who by={of.actor} />
          </span>
          <span class="when">
            <Ago at={of.recorded_at} />
          </span>
        </>
      }
    >
      {() => (
        <>
          <Body name="Value" value={of.value} />
          <Body name="Payload" value={of.payload} />
          <Fields
            of={[
              ["About", <Text>{of.scope_id ? `${of.scope} ${of.scope_id}` : of.scope}</Text>],
              ...(of.stage_id ? ([["Stage", <Text>{of.stage_id}</Text>]] as [string, ComponentChildren][]) : []),
              ["Attempt", of.attempt],
              ["Recorded", exact(of.recorded_at)],
              ["Id", <code class="wrap">{of.id}</code>],
            ]}
          />
        </>
      )}
    </Fold>
  );
}

const took = (call: ToolCall): string =>
  call.duration_ms !== null
    ? span(Number(call.duration_ms))
    : call.ended_at
      ? span(Date.parse(call.ended_at) - Date.parse(call.started_at))
      : "";

export function ToolCallsTab({ store }: { store: RunStore }): JSX.Element {
  const part = store.toolCalls.value;
  if (!part) return <p class="dim">Loading…</p>;
  if (part.items.length === 0) return <Empty title="This run made no tool calls.">{null}</Empty>;
  return (
    <>
      <ul class="folds calls">
        {part.items.map((call) => (
          <Fold
            key={call.id}
            label={`${call.name}, ${call.status}`}
            line={
              <>
                <Status of={call.status} brief />
                <code class="key">
                  <Text most={120}>{call.name}</Text>
                </code>
                <span class="value">
                  <Text most={240}>{call.error ? brief(call.error) : brief(call.arguments ?? "")}</Text>
                </span>
                <span class="by num">{took(call)}</span>
                <span class="when">
                  <Ago at={call.started_at} />
                </span>
              </>
            }
          >
            {() => (
              <>
                <Body name="Error" value={call.error} />
                <Body name="Arguments" value={call.arguments} />
                <Body name="Result" value={call.result} />
                <Fields
                  of={[
                    ["Kind", <Text>{call.kind}</Text>],
                    ...(call.stage_id ? ([["Stage", <Text>{call.stage_id}</Text>]] as [string, ComponentChildren][]) : []),
                    ["Actor", <Who by={call.actor} />],
                    ["Started", exact(call.started_at)],
                    ["Id", <code class="wrap"><Text>{call.id}</Text></code>],
                  ]}
                />
              </>
            )}
          </Fold>
        ))}
      </ul>
      <More has={part.next !== null} what="tool calls" load={() => store.more("toolCalls")} />
    </>
  );
}

export function InteractionsTab({ store }: { store: RunStore }): JSX.Element {
  const part = store.interactions.value;
  if (!part) return <p class="dim">Loading…</p>;
  if (part.items.length === 0) return <Empty title="This run has no questions.">{null}</Empty>;
  return (
    <>
      <div class="questions">
        {part.items.map((one) => (
          <Question key={one.id} of={one} runId={store.id} />
        ))}
      </div>
      <More has={part.next !== null} what="interactions" load={() => store.more("interactions")} />
    </>
  );
}

export function EventsTab({ store }: { store: RunStore }): JSX.Element {
  const part = store.events.value;
  if (!part) return <p class="dim">Loading…</p>;
  return (
    <>
      <ul class="folds events">
        {part.items.map((event) => (
          <Fold
            key={event.id}
            label={`Event ${event.run_seq}: ${event.type}`}
            line={
              <>
                <span class="seq">{event.run_seq}</span>
                <code class={`key type-${event.type.split(":")[0] ?? ""}`}>
                  <Text most={60}>{event.type}</Text>
                </code>
                <span class="value">
                  <Text most={200}>{gist(event)}</Text>
                </span>
                <span class="when" title={exact(event.recorded_at)}>
                  <span class="wide-only">{timeOfDay(event.recorded_at)} · </span>
                  <Ago at={event.recorded_at} />
                </span>
              </>
            }
          >
            {() => <Raw event={event} runId={store.id} />}
          </Fold>
        ))}
      </ul>
      <More has={part.next !== null} what="events" load={() => store.more("events")} />
    </>
  );
}

/** What an event is about, in a few words. */
function gist(event: LoggedEvent): string {
  const data = (event.data ?? {}) as Record<string, unknown>;
  if (event.type === "annotation:created") return `${String(data["key"])} = ${brief(data["value"])}`;
  if (event.type.startsWith("interaction:")) return brief(data["prompt"] ?? "");
  return brief(data["name"] ?? event.subject);
}

function Raw({ event, runId }: { event: LoggedEvent; runId: string }): JSX.Element {
  const envelope = useSignal<string | null>(null);
  const fetched = async (): Promise<string> => (envelope.value ??= await getText(`${runPath(runId)}/events/${event.run_seq}`));
  return (
    <>
      <Body name="Data" value={event.data} />
      <Fields
        of={[
          ["Subject", <code class="wrap"><Text>{event.subject}</Text></code>],
          ["Recorded", exact(event.recorded_at)],
          ["Committed", exact(event.created_at)],
          ["Event id", <code class="wrap">{event.id}</code>],
        ]}
      />
      <p class="raw-tools">
        {envelope.value === null && (
          <button type="button" class="text-button" onClick={() => void fetched().catch(() => {})}>
            Show the envelope as Kafka carries it
          </button>
        )}
        <Copy text={fetched} label="Copy the envelope" />
      </p>
      {envelope.value !== null && (
        <div class="json">
          <pre class="envelope" tabIndex={0} role="region" aria-label="Envelope">
            <Text>{envelope.value}</Text>
          </pre>
        </div>
      )}
    </>
  );
}
