/** The live list of runs: rows change in place; only what is near the window is in the document. */

import { useSignal, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { runPath } from "../address";
import { Ago, count, Duration, Empty, Failed, many, Status, statusWords, Trigger, Who } from "../parts/bits";
import { Icon } from "../parts/icons";
import { Text } from "../parts/text";
import { place, setQuery } from "../router";
import { totals } from "../state/overview";
import { failed, filterFrom, hasMore, held, holdBack, loading, loadMore, release, rows, show, stillMatches, type Row } from "../state/runs";
import { terminal } from "../state/apply";
import { RUN_STATUSES, type RunStatus } from "../types";

const OVERSCAN = 12;
const rowHeight = (): number => (matchMedia("(max-width: 760px)").matches ? 76 : 44);

export function RunsView(): JSX.Element {
  useSignalEffect(() => show(filterFrom(place.value.query)));
  const filter = filterFrom(place.value.query);
  const filtered = filter.status.length > 0 || filter.q !== "";
  const list = rows.value;
  return (
    <div class="view runs">
      <h1 class="sr">Runs</h1>
      <Filter />
      {failed.value && !failed.value.passing && <Failed failure={failed.value} />}
      {list.length > 0 ? (
        <List list={list} />
      ) : loading.value || failed.value ? (
        <Skeleton />
      ) : filtered ? (
        <Empty title="No run matches this filter.">
          <button type="button" class="button" onClick={() => setQuery({ status: null, q: null }, true)}>
            Show all runs
          </button>
        </Empty>
      ) : (
        <FirstSteps />
      )}
    </div>
  );
}

function FirstSteps(): JSX.Element {
  return (
    <Empty title="Nothing is recorded yet.">
      <p>Bring in a history you have, or watch something run:</p>
      <dl class="steps">
        <dt>
          <code>postil import FILE…</code>
        </dt>
        <dd>event logs (.xes, .xes.gz) and coding-agent trajectories (.traj)</dd>
        <dt>
          <code>postil demo DIR</code>
        </dt>
        <dd>a workflow over a folder of yours, with an approval you answer here</dd>
      </dl>
      <p class="dim">Runs appear here the moment they are committed; there is no need to reload.</p>
    </Empty>
  );
}

function Filter(): JSX.Element {
  const query = place.value.query;
  const filter = filterFrom(query);
  const field = useRef<HTMLInputElement>(null);
  const typing = useRef<ReturnType<typeof setTimeout>>(undefined);

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== "/" || (event.target as HTMLElement).matches("input, textarea") || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      field.current?.focus();
      field.current?.select();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
  // The field follows the URL (back button), but not while the user types in it.
  useEffect(() => {
    if (field.current && document.activeElement !== field.current) field.current.value = filter.q;
  }, [filter.q]);

  const toggle = (status: RunStatus): void => {
    const next = filter.status.includes(status) ? filter.status.filter((one) => one !== status) : [...filter.status, status];
    setQuery({ status: next }, true);
  };
  return (
    <div class="filter">
      <search class="search">
        <Icon name="search" />
        <input
          ref={field}
          type="search"
          defaultValue={filter.q}
          maxLength={200}
          placeholder="Filter by name or id"
          aria-label="Filter runs by name or id"
          onInput={(event) => {
            const text = event.currentTarget.value;
            clearTimeout(typing.current);
            typing.current = setTimeout(() => setQuery({ q: text }), 140);
          }}
          onKeyDown={(event) => {
            if (event.key === "Escape") {
              if (event.currentTarget.value) {
                event.currentTarget.value = "";
                setQuery({ q: null });
              } else event.currentTarget.blur();
              event.preventDefault();
            } else if (event.key === "Enter" || event.key === "ArrowDown") {
              event.preventDefault();
              document.querySelector<HTMLAnchorElement>(".row a.row-link")?.focus();
            }
          }}
        />
        <kbd aria-hidden="true">/</kbd>
      </search>
      <div class="chips" role="group" aria-label="Status">
        {RUN_STATUSES.map((status) => {
          const n = totals.value?.[status];
          return (
            <button
              type="button"
              key={status}
              class={`chip chip-${status}`}
              aria-pressed={filter.status.includes(status)}
              onClick={() => toggle(status)}
            >
              <Status of={status} />
              {n !== undefined && <span class="chip-count">{count(n, 10_000)}</span>}
            </button>
          );
        })}
      </div>
      <button
        type="button"
        class="text-button order"
        onClick={() => setQuery({ order: filter.order === "newest" ? "oldest" : null }, true)}
        title="Order by the time runs were recorded here"
      >
        {filter.order === "newest" ? "Newest first" : "Oldest first"}
      </button>
    </div>
  );
}

function Skeleton(): JSX.Element {
  return (
    <div class="skeleton" aria-busy="true" role="status">
      <span class="sr">Loading runs</span>
      {Array.from({ length: 12 }, (_, index) => (
        <div key={index} />
      ))}
    </div>
  );
}

function List({ list }: { list: readonly Row[] }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const height = useSignal(rowHeight());
  const range = useSignal<[number, number]>([0, 60]);
  const at = useSignal(-1);
  const aim = useRef<number | null>(null);

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

  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if ((event.target as HTMLElement).matches("input, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
      const step = event.key === "j" || event.key === "ArrowDown" ? 1 : event.key === "k" || event.key === "ArrowUp" ? -1 : 0;
      if (step === 0 || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      const focused = document.activeElement?.closest<HTMLElement>(".row")?.dataset["index"];
      const from = aim.current ?? (focused === undefined ? -1 : Number(focused));
      focusRow(Math.max(0, Math.min(rows.value.length - 1, from + step)));
    };
    const focusRow = (index: number): void => {
      const top = (box.current?.getBoundingClientRect().top ?? 0) + scrollY + index * height.value;
      const bar = 110; // what sticks to the top
      if (top < scrollY + bar) scrollTo(0, top - bar);
      else if (top + height.value > scrollY + innerHeight - 8) scrollTo(0, top + height.value - innerHeight + 8);
      // The row may have to be made first; a key pressed meanwhile counts from where this one leads.
      aim.current = index;
      requestAnimationFrame(() =>
        requestAnimationFrame(() => {
          if (aim.current !== index) return;
          aim.current = null;
          box.current?.querySelector<HTMLElement>(`.row[data-index="${index}"] a.row-link`)?.focus({ preventScroll: true });
        }),
      );
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);

  const [first, last] = range.value;
  const shown = list.slice(first, last);
  return (
    <div class="table" role="table" aria-label="Runs" aria-rowcount={hasMore() ? -1 : list.length + 1}>
      <div class="head" role="row">
        {["Status", "Run", "Trigger", "Who", "Contents", "Started", "Duration"].map((name) => (
          <span role="columnheader" key={name}>
            {name}
          </span>
        ))}
      </div>
      {held.value.length > 0 && (
        <button type="button" class="arrived" onClick={() => { release(); scrollTo({ top: 0 }); }}>
          {many(held.value.length, "new run", 100_000)} ↑
        </button>
      )}
      <div
        ref={box}
        class="body"
        role="rowgroup"
        style={{ height: `${list.length * height.value}px`, "--from": `${first * height.value}px` }}
        onFocusIn={(event) => (at.value = Number((event.target as HTMLElement).closest<HTMLElement>(".row")?.dataset["index"] ?? -1))}
        onFocusOut={() => (at.value = -1)}
      >
        <div class="window" role="presentation">
          {shown.map((row, index) => (
            <RunRow key={row.run.peek().id} row={row} index={first + index} />
          ))}
        </div>
      </div>
      {loading.value && <p class="loading-more dim">Loading…</p>}
    </div>
  );
}

function RunRow({ row, index }: { row: Row; index: number }): JSX.Element {
  const run = row.run.value;
  const started = run.started_at ?? run.created_at;
  return (
    <div class={`row ${stillMatches(run) ? "" : "no-longer"}`} role="row" aria-rowindex={index + 2} data-index={index}>
      <span role="cell" class="c-status">
        <Status of={run.status} />
      </span>
      <span role="cell" class="c-run">
        <a class="row-link" href={runPath(run.id)} aria-label={`${run.name}, ${statusWords(run.status)}`}>
          <Text most={200}>{run.name}</Text>
        </a>
        {run.id !== run.name && (
          <span class="id">
            <Text>{run.id}</Text>
          </span>
        )}
      </span>
      <span role="cell" class="c-trigger">
        <Trigger source={run.trigger_source} action={run.trigger_action} />
      </span>
      <span role="cell" class="c-who">
        <Who by={run.actor} />
      </span>
      <span role="cell" class="c-contents">
        {run.pending > 0 && <strong class="tone-waiting">{many(run.pending, "question")}</strong>}
        {run.stages > 0 && <span>{many(run.stages, "stage")}</span>}
        {run.annotations > 0 && <span>{many(run.annotations, "annotation")}</span>}
        {run.pending + run.stages + run.annotations === 0 && <span class="dim">{many(run.head, "event", Infinity)}</span>}
      </span>
      <span role="cell" class="c-started">
        <Ago at={started} />
      </span>
      <span role="cell" class="c-duration">
        <Duration from={run.started_at} to={run.ended_at} live={!terminal(run.status)} />
      </span>
    </div>
  );
}
