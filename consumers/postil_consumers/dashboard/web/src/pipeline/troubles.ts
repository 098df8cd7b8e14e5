/** What is wrong with the pipeline. */

import type { PipelineState } from "../api/types";
import { span } from "../time/format";

/** Returns a sentence for each part of the pipeline that does not work, waits, or is behind. */
export function troublesOf({ postgres, relay, kafka, audit, feed }: PipelineState): string[] {
  const problems: (string | false)[] = [
    postgres.state === "down" && `Postgres does not respond: ${why(postgres)}.`,
    relay.state === "stopped" &&
      "The relay is not running: nothing recorded reaches Kafka. Start it with `postil relay`.",
    relay.state === "behind" &&
      `The relay is behind: the oldest unpublished event is ${span((relay.oldest_seconds ?? 0) * 1000)} old.`,
    relay.state === "unknown" &&
      postgres.state !== "down" &&
      `The state of the relay is unknown: ${why(relay)}.`,
    (relay.parked ?? 0) > 0 && `${relay.parked} parked: Kafka refuses a run's next event.`,
    kafka.state === "down" && `Kafka does not respond (${why(kafka)}). New events wait in Postgres.`,
    kafka.state === "waiting" && `Kafka is not ready: ${why(kafka)}.`,
    audit.state === "behind" && `The audit log is ${(audit.lag ?? 0).toLocaleString("en")} events behind.`,
    audit.state === "stopped" && `The audit log is not being written: ${why(audit)}.`,
    audit.state === "waiting" && `The writer of the audit log waits: ${why(audit)}.`,
    audit.state === "down" && `The audit log cannot be read or written: ${why(audit)}.`,
    feed.state !== "live" &&
      kafka.state !== "down" &&
      `The live feed has no connection to Kafka: ${why(feed)}.`,
  ];
  return problems.filter((problem) => problem !== false);
}

const why = ({ reason }: { reason?: string | null }): string =>
  (reason || "no reason given").replace(/\.$/, "");
