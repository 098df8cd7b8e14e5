/** A button that copies a text to the clipboard. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { Icon } from "../marks/icon";
import buttons from "./button.module.css";

/** Copies `text`, or the text that it returns; shows for 1.6 seconds whether that succeeded. */
export function CopyButton({
  text,
  label,
  icon = "copy",
}: {
  text: string | (() => Promise<string>);
  label: string;
  icon?: string;
}): JSX.Element {
  const message = useSignal("");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : await text());
      message.value = "Copied";
    } catch {
      message.value = "Copying failed";
    }
    setTimeout(() => (message.value = ""), 1600);
  };
  return (
    <button
      type="button"
      class={buttons.quietButton}
      data-part="copy"
      onClick={() => void copy()}
      title={label}
    >
      <Icon name={message.value === "Copied" ? "done" : icon} />
      <span class="sr" aria-live="polite">
        {message.value || label}
      </span>
    </button>
  );
}
