/** The list of runs: pages from the API, changed in place by the feed. */

import { batch, type Signal, signal } from "@preact/signals";
import { Failure, get } from "../api/client";
import { type Envelope, type Page, RUN_STATUSES, type Run, type RunStatus } from "../api/types";
import { feedReady, onFeed } from "../feed/feed";
import { applyToRun, isTerminal, runFrom } from "../feed/reducers";
import { runPath } from "../routing/run-ids";

/** Which runs the list shows, and in which order. */
export interface RunsFilter {
  status: RunStatus[];
  q: string;
  order: "newest" | "oldest";
}

/** A run of the list. */
export interface Row {
  run: Signal<Run>;
  /** The stages counted so far, if the page received the run's first event. */
  seen: Set<string> | undefined;
}

export const rows = signal<readonly Row[]>([]);
export const held = signal<readonly Row[]>([]); // new runs that are not shown while the list is scrolled down
export const loading = signal(true);
export const failed = signal<Failure | null>(null);
export const holdBack = signal(false);

let filter: RunsFilter = { status: [], q: "", order: "newest" };
let key = "";
let next: string | null = null;
let requests = 0;
let started = false;
let retry: ReturnType<typeof setTimeout> | undefined;
const byId = new Map<string, Row>();
const refetching = new Set<string>();

/** Returns the filter that the query of the URL states. */
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
/** Whether a run matches the filter. */
export const stillMatches = (run: Run): boolean => matches(run);

const before = (a: Run, b: Run): boolean =>
  (a.created_at === b.created_at ? a.id > b.id : a.created_at > b.created_at) === (filter.order === "newest");

/** Shows the runs of a filter. The same filter again changes nothing. */
export function show(newFilter: RunsFilter): void {
  if (!started) {
    started = true;
    onFeed(receive, () => void load());
  }
  const newKey = JSON.stringify(newFilter);
  if (newKey === key) return;
  key = newKey;
  filter = newFilter;
  void load();
}

/** Loads the first page of the filter's runs. */
export async function load(): Promise<void> {
  const mine = ++requests;
  clearTimeout(retry);
  loading.value = true;
  try {
    await feedReady;
    const page = await get<Page<Run>>("/runs", { ...filter, limit: 100 });
    if (mine !== requests) return;
    batch(() => {
      byId.clear();
      next = page.next;
      rows.value = page.items.map(newRow);
      held.value = [];
      failed.value = null;
      loading.value = false;
    });
  } catch (error) {
    if (mine === requests) fail(error, () => void load());
  }
}

/** Loads the next page. */
export async function loadMore(): Promise<void> {
  if (loading.value || next === null) return;
  const mine = requests;
  loading.value = true;
  try {
    const page = await get<Page<Run>>("/runs", { ...filter, limit: 100, cursor: next });
    if (mine !== requests) return;
    batch(() => {
      next = page.next;
      rows.value = [...rows.value, ...page.items.filter((run) => !byId.has(run.id)).map(newRow)];
      failed.value = null;
      loading.value = false;
    });
  } catch (error) {
    if (mine === requests) {
      loading.value = false;
      fail(error, () => void loadMore());
    }
  }
}

/** Whether there is another page. */
export const hasMore = (): boolean => next !== null;

/** Shows the runs that were held back. */
export function release(): void {
  batch(() => {
    for (const row of held.value) insert(row);
    held.value = [];
  });
}

function fail(error: unknown, again: () => void): void {
  const failure = error instanceof Failure ? error : new Failure(0, String(error), "");
  failed.value = failure;
  loading.value = false;
  if (failure.isTransient) retry = setTimeout(again, 1200);
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
      if (matches(run)) void refetch(event.runid, true); // it may match the filter now
    }
  }
}

function patch(row: Row, event: Envelope): void {
  const run = row.run.peek();
  if (event.runseq <= run.head) return;
  const gap = event.runseq > run.head + 1;
  row.run.value = applyToRun(run, event, row.seen);
  // If the page missed the run's beginning, the count may lack a stage that was recorded as a whole: load the run when it ends.
  if (gap || (row.seen === undefined && event.type.startsWith("run:") && isTerminal(row.run.value.status))) {
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
    // The row stays as it was; the next event or reset loads it again.
  } finally {
    refetching.delete(id);
  }
}
