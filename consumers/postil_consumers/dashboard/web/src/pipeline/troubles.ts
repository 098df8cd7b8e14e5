/** What is wrong with the pipeline. */

import { span } from "../time/format";
import { pipeline } from "./store";

/** Returns a sentence for each problem of the pipeline. */
export function troubles(): string[] {
  const state = pipeline.value;
  if (!state) return [];
  const problems: string[] = [];
  const { relay, kafka, audit, feed } = state;
  if (relay.state === "stopped")
    problems.push("The relay is not running: nothing recorded reaches Kafka. Start it with `postil relay`.");
  if (relay.state === "behind")
    problems.push(
      `The relay is behind: the oldest unpublished event is ${span((relay.oldest_seconds ?? 0) * 1000)} old.`,
    );
  if ((relay.parked ?? 0) > 0) problems.push(`${relay.parked} parked: Kafka refuses a run's next event.`);
  if (kafka.state === "down")
    problems.push(
      `Kafka does not answer (${kafka.reason ?? "no reason given"}). What is written waits in Postgres.`,
    );
  if (audit.state === "behind")
    problems.push(`The audit log is ${(audit.lag ?? 0).toLocaleString()} events behind.`);
  if (audit.state === "down")
    problems.push(`The audit log cannot be read: ${audit.reason ?? "no reason given"}`);
  if (feed.state === "down" && kafka.state !== "down")
    problems.push(`The live feed has no connection to Kafka: ${feed.reason ?? "no reason given"}.`);
  return problems;
}
