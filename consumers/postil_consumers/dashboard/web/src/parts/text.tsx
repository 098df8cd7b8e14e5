/** Recorded text, shown as it is: it is never markup, and cannot reorder the text next to it. */

import type { JSX } from "preact";

// Controls, zero-width and direction characters; what joins emoji (U+200D) and selects their form stays.
const UNSEEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb]/g;

const code = (char: string): string => (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");

/** For titles and attributes, where no element can stand. */
export const plain = (text: string, most = 300): string => {
  const shown = text.replace(UNSEEN, (char) => `⟨${code(char)}⟩`);
  return shown.length > most ? `${shown.slice(0, most)}…` : shown;
};

export function Text({ children, most }: { children: string; most?: number }): JSX.Element {
  const cut = most !== undefined && children.length > most;
  const text = cut ? children.slice(0, most) : children;
  const parts: (string | JSX.Element)[] = [];
  let from = 0;
  for (const found of text.matchAll(UNSEEN)) {
    parts.push(text.slice(from, found.index), <span class="unseen" title={`U+${code(found[0])}`}>{code(found[0])}</span>);
    from = found.index + found[0].length;
  }
  parts.push(text.slice(from));
  if (cut) parts.push("…");
  return <bdi>{parts}</bdi>;
}
