/** What needs a person: every open question, the longest waiting first, answerable here. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { runPath } from "../address";
import { Empty, Failed, More } from "../parts/bits";
import { Question } from "../parts/answer";
import { Text } from "../parts/text";
import { freshenWaiting, keyOf, moreWaiting, waiting, waitingFailed } from "../state/overview";
import type { Waiting } from "../types";

export function WaitingView(): JSX.Element {
  // A question that was open on this page keeps its place and shows its outcome. The list can lack it before the feed
  // reports how it ended, and a user who is writing an answer must see that.
  const kept = useSignal<ReadonlyMap<string, Waiting>>(new Map());
  useEffect(() => freshenWaiting(), []);
  const open = waiting.value;
  const all = new Map([...kept.value, ...(open?.items ?? []).map((one) => [keyOf(one.run_id, one.id), one] as const)]);
  useEffect(() => {
    kept.value = all;
  }, [open]);
  const shown = open ? [...all.values()].sort((a, b) => a.asked_at.localeCompare(b.asked_at)) : [];
  return (
    <div class="view waiting">
      <h1>Waiting for a person</h1>
      {waitingFailed.value && !waitingFailed.value.passing && <Failed failure={waitingFailed.value} />}
      {!open ? (
        <div class="skeleton" aria-busy="true" role="status"><span class="sr">Loading</span><div /><div /></div>
      ) : shown.length === 0 ? (
        <Empty title="Nothing waits for you.">
          <p class="dim">
            When a run asks for an approval or an answer, it appears here at once. <code>postil demo DIR</code> asks for one.
          </p>
        </Empty>
      ) : (
        <>
          <ul class="waiting-list">
            {shown.map((one) => (
              <li key={keyOf(one.run_id, one.id)}>
                <p class="of-run">
                  <a href={runPath(one.run_id)}>
                    <Text most={200}>{one.run_name}</Text>
                  </a>
                  <span class="id">
                    <Text most={200}>{one.run_id}</Text>
                  </span>
                </p>
                <Question of={one} runId={one.run_id} />
              </li>
            ))}
          </ul>
          <More has={open.next !== null} what="questions" load={moreWaiting} />
        </>
      )}
    </div>
  );
}
