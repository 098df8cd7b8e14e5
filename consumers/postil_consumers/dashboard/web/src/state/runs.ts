/** The list of runs: pages from the API, patched in place by the feed. */

import { batch, signal, type Signal } from "@preact/signals";
import { Failure, get } from "../api";
import { feedReady, onFeed } from "../feed/feed";
import { runPath } from "../address";
import { RUN_STATUSES, type Envelope, type Page, type Run, type RunStatus } from "../types";
import { applyToRun, runFrom, terminal } from "./apply";

export interface RunsFilter {
  status: RunStatus[];
  q: string;
  order: "newest" | "oldest";
}

export interface Row {
  run: Signal<Run>;
  /** Stages counted since the run's first event, where the page was there from the beginning. */
  seen: Set<string> | undefined;
}

export const rows = signal<readonly Row[]>([]);
export const held = signal<readonly Row[]>([]); // new runs kept back while the reader is further down
export const loading = signal(true);
export const failed = signal<Failure | null>(null);
export const holdBack = signal(false);

let filter: RunsFilter = { status: [], q: "", order: "newest" };
let key = "";
let next: string | null = null;
let asked = 0;
let started = false;
let retry: ReturnType<typeof setTimeout> | undefined;
const byId = new Map<string, Row>();
const refetching = new Set<string>();

export const filterFrom = (query: URLSearchParams): RunsFilter => ({
  status: RUN_STATUSES.filter((status) => query.getAll("status").includes(status)),
  q: (query.get("q") ?? "").slice(0, 200),
  order: query.get("order") === "oldest" ? "oldest" : "newest",
});

const matches = (run: Run): boolean => {
  if (filter.status.length > 0 && !filter.status.includes(run.status)) return false;
  const q = filter.q.toLowerCase();
  return q === "" || run.id.toLowerCase().includes(q) || run.name.toLowerCase().includes(q);
};
export const stillMatches = (run: Run): boolean => matches(run);

const before = (a: Run, b: Run): boolean =>
  (a.created_at === b.created_at ? a.id > b.id : a.created_at > b.created_at) === (filter.order === "newest");

/** Show the runs of `wanted`; the same filter again keeps what is there. */
export function show(wanted: RunsFilter): void {
  if (!started) {
    started = true;
    onFeed(receive, () => void load());
  }
  const wantedKey = JSON.stringify(wanted);
  if (wantedKey === key) return;
  key = wantedKey;
  filter = wanted;
  void load();
}

export async function load(): Promise<void> {
  const mine = ++asked;
  clearTimeout(retry);
  loading.value = true;
  try {
    await feedReady;
    const page = await get<Page<Run>>("/runs", { ...filter, limit: 100 });
    if (mine !== asked) return;
    batch(() => {
      byId.clear();
      next = page.next;
      rows.value = page.items.map(newRow);
      held.value = [];
      failed.value = null;
      loading.value = false;
    });
  } catch (error) {
    if (mine === asked) later(error, () => void load());
  }
}

export async function loadMore(): Promise<void> {
  if (loading.value || next === null) return;
  const mine = asked;
  loading.value = true;
  try {
    const page = await get<Page<Run>>("/runs", { ...filter, limit: 100, cursor: next });
    if (mine !== asked) return;
    batch(() => {
      next = page.next;
      rows.value = [...rows.value, ...page.items.filter((run) => !byId.has(run.id)).map(newRow)];
      failed.value = null;
      loading.value = false;
    });
  } catch (error) {
    if (mine === asked) {
      loading.value = false;
      later(error, () => void loadMore());
    }
  }
}

export const hasMore = (): boolean => next !== null;

export function release(): void {
  batch(() => {
    for (const row of held.value) insert(row);
    held.value = [];
  });
}

function later(error: unknown, again: () => void): void {
  const failure = error instanceof Failure ? error : new Failure(0, String(error), "");
  failed.value = failure;
  loading.value = false;
  if (failure.passing) retry = setTimeout(again, 1200);
}

const newRow = (run: Run): Row => {
  const row: Row = { run: signal(run), seen: undefined };
  byId.set(run.id, row);
  return row;
};

function receive(events: Envelope[]): void {
  for (const event of events) {
    const row = byId.get(event.runid);
    if (row) patch(row, event);
    else if (event.type === "run:created" && event.runseq === 1) {
      const run = runFrom(event);
      if (matches(run)) arrive({ run: signal(run), seen: new Set() });
    } else if (event.type.startsWith("run:") && filter.status.length > 0) {
      const run = runFrom(event);
      if (matches(run)) void refetch(event.runid, true); // it has come to match the filter
    }
  }
}

function patch(row: Row, event: Envelope): void {
  const run = row.run.peek();
  if (event.runseq <= run.head) return;
  const gap = event.runseq > run.head + 1;
  row.run.value = applyToRun(run, event, row.seen);
  // Counts of a run that was joined in the middle may be off by a stage recorded whole: look once it has ended.
  if (gap || (row.seen === undefined && event.type.startsWith("run:") && terminal(row.run.value.status))) {
    void refetch(event.runid, false);
  }
}

function arrive(row: Row): void {
  byId.set(row.run.peek().id, row);
  if (holdBack.value && filter.order === "newest") held.value = [...held.value, row];
  else if (filter.order === "newest" || next === null) insert(row);
}

function insert(row: Row): void {
  const run = row.run.peek();
  const list = rows.value;
  let at = filter.order === "newest" ? 0 : list.length;
  if (filter.order === "newest") while (at < list.length && before((list[at] as Row).run.peek(), run)) at++;
  else while (at > 0 && before(run, (list[at - 1] as Row).run.peek())) at--;
  rows.value = [...list.slice(0, at), row, ...list.slice(at)];
}

async function refetch(id: string, add: boolean): Promise<void> {
  if (refetching.has(id) || refetching.size > 20) return;
  refetching.add(id);
  try {
    const run = await get<Run>(runPath(id));
    const row = byId.get(id);
    if (row) {
      if (run.head >= row.run.peek().head) row.run.value = run;
    } else if (add && matches(run)) arrive({ run: signal(run), seen: undefined });
  } catch {
    // The row stays as it was; the next event or reset looks again.
  } finally {
    refetching.delete(id);
  }
}
