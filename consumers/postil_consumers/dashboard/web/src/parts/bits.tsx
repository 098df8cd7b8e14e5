/** Small pieces every view uses: status, time, who, counts, copying, failures. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import type { Failure } from "../api";
import { ago, exact, now, span } from "../clock";
import type { By } from "../types";
import { Icon } from "./icons";
import { plain, Text } from "./text";

const STATUS: Record<string, [icon: string, words: string, tone: string]> = {
  pending: ["pending", "Pending", "quiet"],
  running: ["running", "Running", "running"],
  waiting_for_interaction: ["waiting", "Waiting", "waiting"],
  suspended: ["waiting", "Suspended", "waiting"],
  completed: ["completed", "Completed", "completed"],
  resolved: ["completed", "Resolved", "completed"],
  failed: ["failed", "Failed", "failed"],
  cancelled: ["cancelled", "Cancelled", "quiet"],
};

export const statusWords = (status: string): string => STATUS[status]?.[1] ?? status;

export function Status({ of, brief = false }: { of: string; brief?: boolean }): JSX.Element {
  const [icon, words, tone] = STATUS[of] ?? ["pending", of, "quiet"];
  return (
    <span class={`status tone-${tone}`} title={brief ? words : undefined}>
      <Icon name={icon} />
      <span class={brief ? "sr" : ""}>{words}</span>
    </span>
  );
}

/** What set a run off, in as few words as say it. */
export function Trigger({ source, action }: { source: string; action: string }): JSX.Element {
  return (
    <>
      <Text most={60}>{source}</Text>
      {action !== "trigger" && action !== source && (
        <span class="dim">
          {" "}
          · <Text most={40}>{action}</Text>
        </span>
      )}
    </>
  );
}

export function Ago({ at }: { at: string | null }): JSX.Element {
  if (at === null) return <span class="dim">–</span>;
  return (
    <time dateTime={at} title={exact(at)}>
      {ago(at, now.value)}
    </time>
  );
}

/** How long it took; ticking while it lasts. */
export function Duration({ from, to, live }: { from: string | null; to: string | null; live: boolean }): JSX.Element {
  if (from === null || (to === null && !live)) return <span class="dim">–</span>;
  const end = to === null ? now.value : Date.parse(to);
  return <span class="num">{span(Math.max(0, end - Date.parse(from)))}</span>;
}

export function Who({ by }: { by: By | null }): JSX.Element {
  if (by === null) return <span class="dim">–</span>;
  const whole = plain(`${by.kind} ${by.id}${by.version ? ` ${by.version}` : ""}`);
  return (
    <span class="who" title={whole}>
      <span class="kind">
        <Text most={40}>{by.kind}</Text>
      </span>{" "}
      <Text most={80}>{by.id}</Text>
      {by.version && (
        <span class="dim">
          {" "}
          <Text most={30}>{by.version}</Text>
        </span>
      )}
    </span>
  );
}

/** A count that may have stopped at its cap. */
export const count = (n: number, cap: number): string => (n >= cap ? `${cap.toLocaleString()}+` : n.toLocaleString());
export const many = (n: number, one: string, cap = 1000): string => `${count(n, cap)} ${one}${n === 1 ? "" : "s"}`;

export function Copy({ text, label, icon = "copy" }: { text: string | (() => Promise<string>); label: string; icon?: string }): JSX.Element {
  const message = useSignal("");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : await text());
      message.value = "Copied";
    } catch {
      message.value = "Copying failed";
    }
    setTimeout(() => (message.value = ""), 1600);
  };
  return (
    <button type="button" class="quiet-button" onClick={() => void copy()} title={label}>
      <Icon name={message.value === "Copied" ? "done" : icon} />
      <span class="sr" aria-live="polite">
        {message.value || label}
      </span>
    </button>
  );
}

export function Failed({ failure }: { failure: Failure }): JSX.Element {
  return (
    <div class="failed-box" role="alert">
      <p>
        <Text>{failure.what}</Text>
      </p>
      {failure.advice && <p class="dim">{failure.advice}</p>}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function More({ has, what, load }: { has: boolean; what: string; load: () => Promise<void> }): JSX.Element | null {
  const busy = useSignal(false);
  if (!has) return null;
  const go = async (): Promise<void> => {
    busy.value = true;
    try {
      await load();
    } finally {
      busy.value = false;
    }
  };
  return (
    <button type="button" class="more" disabled={busy.value} onClick={() => void go()}>
      {busy.value ? "Loading…" : `Show more ${what}`}
    </button>
  );
}
