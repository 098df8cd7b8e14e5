/** The live list of runs: rows change in place, and only those near the window are in the document. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { classes } from "../components/layout/classes";
import { Status, statusWords } from "../components/marks/status";
import { ActorName } from "../components/values/actor";
import { many } from "../components/values/count";
import { Text } from "../components/values/text";
import { Ago, Duration } from "../components/values/time";
import { Trigger } from "../components/values/trigger";
import { isTerminal } from "../feed/reducers";
import { useKeys } from "../routing/keys";
import { runPath } from "../routing/run-ids";
import styles from "./list.module.css";
import { hasMore, held, holdBack, loading, loadMore, type Row, release, rows, stillMatches } from "./store";

const OVERSCAN = 12; // rows beyond each end of the window
const STICKY = 110; // pixels that the bar and the filter cover
const STEPS: Record<string, number> = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
const rowHeight = (): number => (matchMedia("(max-width: 760px)").matches ? 76 : 44);

/** Shows the rows; keys and scrolling move through them. */
export function List({ list }: { list: readonly Row[] }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const height = useSignal(rowHeight());
  const range = useSignal<[number, number]>([0, 60]);
  const at = useSignal(-1);
  const target = useRef<number | null>(null);

  const look = useRef<() => void>(() => {});
  // More may be wanted at once: a long jump passes several pages.
  useEffect(() => look.current(), [list.length]);

  useLayoutEffect(() => {
    look.current = (): void => {
      height.value = rowHeight();
      const top = (box.current?.getBoundingClientRect().top ?? 0) + scrollY;
      const first = Math.max(0, Math.floor((scrollY - top) / height.value) - OVERSCAN);
      const last = Math.ceil((scrollY + innerHeight - top) / height.value) + OVERSCAN;
      if (first !== range.value[0] || last !== range.value[1]) range.value = [first, last];
      holdBack.value = scrollY > 8 || at.value > 0;
      if (!holdBack.value && held.value.length > 0) release();
      if (last > rows.value.length - 30 && hasMore()) void loadMore();
    };
    const onMove = (): void => look.current();
    onMove();
    addEventListener("scroll", onMove, { passive: true });
    addEventListener("resize", onMove);
    return () => {
      removeEventListener("scroll", onMove);
      removeEventListener("resize", onMove);
      holdBack.value = false;
    };
  }, []);

  const focusRow = (index: number): void => {
    const top = (box.current?.getBoundingClientRect().top ?? 0) + scrollY + index * height.value;
    if (top < scrollY + STICKY) scrollTo(0, top - STICKY);
    else if (top + height.value > scrollY + innerHeight - 8)
      scrollTo(0, top + height.value - innerHeight + 8);
    // The row may not be in the document yet. A key pressed meanwhile counts from this row.
    target.current = index;
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        if (target.current !== index) return;
        target.current = null;
        box.current?.querySelector<HTMLElement>(`[data-index="${index}"] a`)?.focus({ preventScroll: true });
      }),
    );
  };
  useKeys((event) => {
    const step = STEPS[event.key];
    if (step === undefined || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    const focused = document.activeElement?.closest<HTMLElement>("[data-index]")?.dataset.index;
    const from = target.current ?? (focused === undefined ? -1 : Number(focused));
    focusRow(Math.max(0, Math.min(rows.value.length - 1, from + step)));
  });

  const [first, last] = range.value;
  const shown = list.slice(first, last);
  return (
    <div class={styles.table} role="table" aria-label="Runs" aria-rowcount={hasMore() ? -1 : list.length + 1}>
      <div class={styles.head} role="row">
        {["Status", "Run", "Trigger", "Who", "Contents", "Started", "Duration"].map((name) => (
          <span role="columnheader" key={name}>
            {name}
          </span>
        ))}
      </div>
      {held.value.length > 0 && (
        <button
          type="button"
          class={styles.arrived}
          onClick={() => {
            release();
            scrollTo({ top: 0 });
          }}
        >
          {many(held.value.length, "new run", 100_000)} ↑
        </button>
      )}
      <div
        ref={box}
        class={styles.body}
        role="rowgroup"
        style={{ height: `${list.length * height.value}px`, "--from": `${first * height.value}px` }}
        onFocusIn={(event) =>
          (at.value = Number(
            (event.target as HTMLElement).closest<HTMLElement>("[data-index]")?.dataset.index ?? -1,
          ))
        }
        onFocusOut={() => (at.value = -1)}
      >
        <div class={styles.window} role="presentation">
          {shown.map((row, index) => (
            <RunRow key={row.run.peek().id} row={row} index={first + index} />
          ))}
        </div>
      </div>
      {loading.value && <p class={classes(styles.loadingMore, "dim")}>Loading…</p>}
    </div>
  );
}

function RunRow({ row, index }: { row: Row; index: number }): JSX.Element {
  const run = row.run.value;
  const started = run.started_at ?? run.created_at;
  return (
    <div
      class={classes(styles.row, !stillMatches(run) && styles.noLonger)}
      data-part="row"
      role="row"
      aria-rowindex={index + 2}
      data-index={index}
    >
      <span role="cell" class={styles.cStatus}>
        <Status of={run.status} />
      </span>
      <span role="cell" class={styles.cRun}>
        <a
          class={styles.rowLink}
          href={runPath(run.id)}
          aria-label={`${run.name}, ${statusWords(run.status)}`}
        >
          <Text most={200}>{run.name}</Text>
        </a>
        {run.id !== run.name && (
          <code class={styles.id}>
            <Text>{run.id}</Text>
          </code>
        )}
      </span>
      <span role="cell" class={styles.cTrigger}>
        <Trigger source={run.trigger_source} action={run.trigger_action} />
      </span>
      <span role="cell" class={styles.cWho}>
        <ActorName of={run.actor} />
      </span>
      <span role="cell" class={styles.cContents} data-part="contents">
        {run.pending > 0 && <strong data-tone="waiting">{many(run.pending, "question")}</strong>}
        {run.stages > 0 && <span>{many(run.stages, "stage")}</span>}
        {run.annotations > 0 && <span>{many(run.annotations, "annotation")}</span>}
        {run.pending + run.stages + run.annotations === 0 && (
          <span class="dim">{many(run.head, "event", Infinity)}</span>
        )}
      </span>
      <span role="cell" class={styles.cStarted}>
        <Ago at={started} />
      </span>
      <span role="cell" class={styles.cDuration}>
        <Duration from={run.started_at} to={run.ended_at} live={!isTerminal(run.status)} />
      </span>
    </div>
  );
}
