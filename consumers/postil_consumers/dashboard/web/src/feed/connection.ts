/** The connection to the feed. It reconnects until the page closes, and resumes after its last event. Runs in a worker or a page. */

/** Whether the feed delivers events. */
export type FeedState = "connecting" | "live" | "lost";
/** What a connection sends to the page. */
export type FeedMessage =
  | { kind: "state"; state: FeedState }
  | { kind: "events"; events: string[] }
  /** Events were missed: load the current state. */
  | { kind: "reset" };

const SILENCE_MS = 40_000; // more than two heartbeats

/** A stream of server-sent events that reconnects. */
export class Connection {
  state: FeedState = "connecting";
  #source: EventSource | null = null;
  #lastId: string | null = null;
  #pending: string[] = [];
  #flushing = false;
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  #pause = 500;

  constructor(readonly send: (message: FeedMessage) => void) {}

  /** Opens the stream, unless it is open. */
  open(): void {
    if (this.#source) return;
    const after = this.#lastId === null ? "" : `?after=${encodeURIComponent(this.#lastId)}`;
    const source = new EventSource(`/api/feed${after}`);
    this.#source = source;
    this.#watchdog = setTimeout(() => this.#reconnect(), SILENCE_MS);
    const counted = (handle: (event: MessageEvent<string>) => void) => (event: MessageEvent<string>) => {
      if (event.lastEventId) this.#lastId = event.lastEventId;
      this.#restartWatchdog();
      handle(event);
    };
    source.addEventListener(
      "message",
      counted((event) => this.#add(event.data)),
    );
    source.addEventListener(
      "hello",
      counted(() => this.#setState("live")),
    );
    for (const kind of ["reset", "lag"]) {
      source.addEventListener(
        kind,
        counted(() => {
          this.#flush();
          this.#setState("live");
          this.send({ kind: "reset" });
        }),
      );
    }
    source.addEventListener(
      "alive",
      counted(() => {}),
    );
    source.onerror = () => this.#reconnect();
  }

  #reconnect(): void {
    clearTimeout(this.#watchdog);
    this.#source?.close();
    this.#source = null;
    this.#setState("lost");
    setTimeout(() => this.open(), this.#pause);
    this.#pause = Math.min(this.#pause * 1.6, 5000);
  }

  #restartWatchdog(): void {
    this.#pause = 500;
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#reconnect(), SILENCE_MS);
  }

  #add(data: string): void {
    this.#pending.push(data);
    if (this.#flushing) return;
    this.#flushing = true;
    setTimeout(() => this.#flush(), 8);
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#pending.length === 0) return;
    const events = this.#pending;
    this.#pending = [];
    this.send({ kind: "events", events });
  }

  #setState(state: FeedState): void {
    if (state === this.state) return;
    this.state = state;
    this.send({ kind: "state", state });
  }
}
