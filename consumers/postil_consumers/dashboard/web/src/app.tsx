/** The frame of every view: navigation, the state of the feed, banners, help. */

import { signal, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { reach } from "./api";
import { now, span } from "./clock";
import { feedLostAt, feedState } from "./feed/feed";
import { Empty } from "./parts/bits";
import { Icon } from "./parts/icons";
import { view } from "./router";
import { pipeline, session, waiting } from "./state/overview";
import { troubles } from "./state/troubles";
import { theme, turnTheme } from "./theme";
import { PipelineView } from "./views/pipeline";
import { RunView } from "./views/run";
import { RunsView } from "./views/runs";
import { WaitingView } from "./views/waiting";

const helping = signal(false);

export function App(): JSX.Element {
  useKeys();
  useSignalEffect(() => {
    const place = view.value;
    if (place.name !== "run") document.title = { runs: "Runs", waiting: "Waiting", pipeline: "Pipeline", unknown: "Nothing here" }[place.name] + " · Postil";
  });
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <Bar />
      <Banners />
      <main id="main" tabIndex={-1}>
        <Current />
      </main>
      <Help />
    </>
  );
}

function Current(): JSX.Element {
  const place = view.value;
  switch (place.name) {
    case "runs":
      return <RunsView />;
    case "run":
      return <RunView key={place.id} id={place.id} />;
    case "waiting":
      return <WaitingView />;
    case "pipeline":
      return <PipelineView />;
    case "unknown":
      return (
        <Empty title="There is nothing at this address.">
          <p>
            <a href="/">All runs</a>
          </p>
        </Empty>
      );
  }
}

function Bar(): JSX.Element {
  const at = view.value.name;
  const pending = waiting.value;
  const number = pending ? pending.items.length : 0;
  const current = (name: string): "page" | undefined => (at === name ? "page" : undefined);
  const icon = { system: "auto", light: "sun", dark: "moon" }[theme.value];
  return (
    <header class="bar">
      <a class="mark" href="/" aria-label="Postil: all runs">
        <img src="/icon.svg" alt="" width="20" height="20" />
        <span>Postil</span>
      </a>
      <nav aria-label="Views">
        <a href="/" aria-current={current("runs") ?? (at === "run" ? "true" : undefined)}>
          Runs
        </a>
        <a href="/waiting" aria-current={current("waiting")}>
          Waiting
          {number > 0 && (
            <span class="badge">
              {number}
              {pending?.next ? "+" : ""}
            </span>
          )}
        </a>
        <a href="/pipeline" aria-current={current("pipeline")}>
          Pipeline
          {troubles().length > 0 && <span class="badge bad" title={troubles().join("\n")}>!</span>}
        </a>
      </nav>
      <div class="bar-end">
        {session.value && session.value.tenant !== "default" && <span class="tenant">{session.value.tenant}</span>}
        <FeedMark />
        <button type="button" class="quiet-button" onClick={turnTheme} title={`Theme: ${theme.value}`}>
          <Icon name={icon} />
          <span class="sr">Theme: {theme.value}. Change it.</span>
        </button>
        <button type="button" class="quiet-button help-button" onClick={() => (helping.value = true)} title="Keyboard help (?)">
          <span aria-hidden="true">?</span>
          <span class="sr">Keyboard help</span>
        </button>
      </div>
    </header>
  );
}

function FeedMark(): JSX.Element {
  const state = feedState.value;
  const kafka = pipeline.value?.feed.state;
  const live = state === "live" && (kafka === undefined || kafka === "live");
  const words = state === "lost" ? "Offline" : live ? "Live" : "Connecting";
  return (
    <a href="/pipeline" class={`feed-mark ${live ? "is-live" : "is-off"}`} title={live ? "Events appear as they are committed" : "The live feed is not connected"}>
      <span class="dot" aria-hidden="true" />
      {words}
    </a>
  );
}

function Banners(): JSX.Element {
  const lost = feedLostAt.value;
  const lines: string[] = [];
  if (reach.value === "server-away") lines.push("The dashboard’s server does not answer. What you see is what was last known; it is asked again every second.");
  else if (reach.value === "database-away") lines.push("Postgres does not answer. What you see is what was last known; it is asked again every second.");
  else if (lost !== null && now.value - lost > 2000) lines.push(`The live feed has been disconnected for ${span(now.value - lost)}. It resumes without a gap.`);
  if (reach.value === "ok" && view.value.name !== "pipeline") lines.push(...troubles());
  return (
    <div class="banners" role="status" aria-live="polite">
      {lines.map((line) => (
        <p class="banner" key={line.slice(0, 20)}>
          {line}
        </p>
      ))}
    </div>
  );
}

const KEYS: [keys: string, does: string][] = [
  ["/", "Filter runs"],
  ["j  k", "Next, previous run"],
  ["Enter", "Open the run"],
  ["Esc", "Leave the filter, close, go back to the list"],
  ["g r", "Runs"],
  ["g w", "Waiting"],
  ["g p", "Pipeline"],
  ["?", "This help"],
];

function Help(): JSX.Element | null {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (helping.value) dialog.current?.showModal();
    else dialog.current?.close();
  });
  void helping.value;
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (helping.value = false)} onClick={(event) => event.target === event.currentTarget && event.currentTarget.close()}>
      <h2 id="help-title">Keyboard</h2>
      <dl>
        {KEYS.map(([keys, does]) => (
          <>
            <dt>
              {keys.split(" ").filter(Boolean).map((one) => (
                <kbd>{one}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </>
        ))}
      </dl>
      <button type="button" class="button" onClick={() => dialog.current?.close()}>
        Close
      </button>
      {session.value && <p class="dim version">Postil {session.value.version}</p>}
    </dialog>
  );
}

function useKeys(): void {
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
          document.querySelector<HTMLAnchorElement>(`.bar nav a[href="${to}"]`)?.click();
        }
        return;
      }
      if (event.key === "g") chord = true;
      else if (event.key === "?") {
        event.preventDefault();
        helping.value = true;
      } else if (event.key === "Escape" && view.value.name !== "runs" && !helping.value) {
        if (history.length > 1 && (history.state as { scroll?: number } | null)) history.back();
        else document.querySelector<HTMLAnchorElement>(".mark")?.click();
      }
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}
