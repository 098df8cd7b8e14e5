/** What started a run. */

import type { JSX } from "preact";
import { Text } from "./text";

/** Shows the source of a trigger, and its action if that adds something. */
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
