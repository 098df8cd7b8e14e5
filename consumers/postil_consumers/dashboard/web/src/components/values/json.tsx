/** A recorded JSON value: a text as it is, other values as indented JSON; a long value is folded. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { printJson } from "../../api/lossless-json";
import buttons from "../controls/button.module.css";
import { CopyButton } from "../controls/copy-button";
import styles from "./json.module.css";
import { Text } from "./text";

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;
const FOLD_LINES = 14;

/** Shows a long text inside JSON with a line break after each `\\n`. */
const withLineBreaks = (string: string): JSX.Element[] =>
  string.split(/(?<=\\n)/).map((line, index) => (
    <span key={index}>
      {index > 0 && "\n"}
      <Text>{line}</Text>
    </span>
  ));

/** Returns JSON text with a colour for each kind of token. */
function coloured(source: string): (string | JSX.Element)[] {
  const parts: (string | JSX.Element)[] = [];
  let from = 0;
  for (const match of source.matchAll(TOKEN)) {
    parts.push(source.slice(from, match.index));
    const [whole, string, colon, number] = match;
    const style = string ? (colon ? styles.jKey : styles.jString) : number ? styles.jNumber : styles.jWord;
    parts.push(
      <span class={style}>
        {string && string.length > 80 && string.includes("\\n") ? (
          withLineBreaks(string)
        ) : (
          <Text>{string ?? whole}</Text>
        )}
      </span>,
    );
    if (colon) parts.push(colon);
    from = match.index + whole.length;
  }
  parts.push(source.slice(from));
  return parts;
}

/** Shows a value; `label` names it to screen readers. */
export function JsonView({ value, label }: { value: unknown; label: string }): JSX.Element {
  const open = useSignal(false);
  const isText = typeof value === "string";
  const source = isText ? value : printJson(value);
  const lines = source.split("\n");
  const folds = lines.length > FOLD_LINES || source.length > 4000;
  const shown = folds && !open.value ? lines.slice(0, FOLD_LINES).join("\n").slice(0, 4000) : source;
  return (
    <div class={styles.json}>
      <pre tabIndex={0} aria-label={label} role="region">
        {isText ? <Text>{shown}</Text> : shown.length > 60_000 ? <Text>{shown}</Text> : coloured(shown)}
      </pre>
      <div class={styles.jsonTools}>
        {folds && (
          <button
            type="button"
            class={buttons.textButton}
            onClick={() => (open.value = !open.value)}
            aria-expanded={open.value}
          >
            {open.value ? "Show less" : `Show all ${lines.length.toLocaleString()} lines`}
          </button>
        )}
        <CopyButton text={source} label={`Copy ${label}`} />
      </div>
    </div>
  );
}
