/** A stored JSON value, readable: text as text, objects printed, large ones folded. */

import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { printJson } from "../exact";
import { Copy } from "./bits";
import { Text } from "./text";

const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g;
const FOLD_LINES = 14;

/** A long text inside JSON, its line breaks both written and made. */
const broken = (string: string): JSX.Element[] =>
  string.split(/(?<=\\n)/).map((line, index) => (
    <span key={index}>
      {index > 0 && "\n"}
      <Text>{line}</Text>
    </span>
  ));

function coloured(source: string): (string | JSX.Element)[] {
  const parts: (string | JSX.Element)[] = [];
  let from = 0;
  for (const found of source.matchAll(TOKEN)) {
    parts.push(source.slice(from, found.index));
    const [whole, string, colon, number] = found;
    const kind = string ? (colon ? "j-key" : "j-string") : number ? "j-number" : "j-word";
    parts.push(
      <span class={kind}>
        {string && string.length > 80 && string.includes("\\n") ? broken(string) : <Text>{string ?? whole}</Text>}
      </span>,
    );
    if (colon) parts.push(colon);
    from = found.index + whole.length;
  }
  parts.push(source.slice(from));
  return parts;
}

export function JsonView({ value, label }: { value: unknown; label: string }): JSX.Element {
  const open = useSignal(false);
  const isText = typeof value === "string";
  const source = isText ? value : printJson(value);
  const lines = source.split("\n");
  const folds = lines.length > FOLD_LINES || source.length > 4000;
  const shown = folds && !open.value ? lines.slice(0, FOLD_LINES).join("\n").slice(0, 4000) : source;
  return (
    <div class="json">
      <pre tabIndex={0} aria-label={label} role="region">
        {isText ? <Text>{shown}</Text> : shown.length > 60_000 ? <Text>{shown}</Text> : coloured(shown)}
      </pre>
      <div class="json-tools">
        {folds && (
          <button type="button" class="text-button" onClick={() => (open.value = !open.value)} aria-expanded={open.value}>
            {open.value ? "Show less" : `Show all ${lines.length.toLocaleString()} lines`}
          </button>
        )}
        <Copy text={source} label={`Copy ${label}`} />
      </div>
    </div>
  );
}

/** A value in one line, for tables: text without its quotes, the rest as compact JSON. */
export function brief(value: unknown): string {
  if (Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "string")) return value.join(", ");
  if (typeof value === "string") return value;
  return printJson(value).replace(/\n\s*/g, " ");
}
