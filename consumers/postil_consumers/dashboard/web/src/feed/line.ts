/** The connection to the feed. It reconnects until the page closes, and resumes after its last event. Runs in a worker or a page. */

export type FeedState = "connecting" | "live" | "lost";
export type FromLine =
  | { kind: "state"; state: FeedState }
  | { kind: "events"; events: string[] }
  /** Something was missed: look at the present state. */
  | { kind: "reset" };

const SILENCE_MS = 40_000; // more than two heartbeats

export class Line {
  state: FeedState = "connecting";
  #source: EventSource | null = null;
  #lastId: string | null = null;
  #gathered: string[] = [];
  #flushing = false;
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  #pause = 500;

  constructor(readonly send: (message: FromLine) => void) {}

  open(): void {
    if (this.#source) return;
    const after = this.#lastId === null ? "" : `?after=${encodeURIComponent(this.#lastId)}`;
    const source = new EventSource(`/api/feed${after}`);
    this.#source = source;
    const noted = (handle: (event: MessageEvent<string>) => void) => (event: MessageEvent<string>) => {
      if (event.lastEventId) this.#lastId = event.lastEventId;
      this.#alive();
      handle(event);
    };
    source.addEventListener("message", noted((event) => this.#gather(event.data)));
    source.addEventListener("hello", noted(() => this.#is("live")));
    for (const kind of ["reset", "lag"]) {
      source.addEventListener(
        kind,
        noted(() => {
          this.#flush();
          this.#is("live");
          this.send({ kind: "reset" });
        }),
      );
    }
    source.addEventListener("alive", noted(() => {}));
    source.onerror = () => this.#again();
  }

  #again(): void {
    clearTimeout(this.#watchdog);
    this.#source?.close();
    this.#source = null;
    this.#is("lost");
    setTimeout(() => this.open(), this.#pause);
    this.#pause = Math.min(this.#pause * 1.6, 5000);
  }

  #alive(): void {
    this.#pause = 500;
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#again(), SILENCE_MS);
  }

  #gather(data: string): void {
    this.#gathered.push(data);
    if (this.#flushing) return;
    this.#flushing = true;
    setTimeout(() => this.#flush(), 8);
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#gathered.length === 0) return;
    const events = this.#gathered;
    this.#gathered = [];
    this.send({ kind: "events", events });
  }

  #is(state: FeedState): void {
    if (state === this.state) return;
    this.state = state;
    this.send({ kind: "state", state });
  }
}
