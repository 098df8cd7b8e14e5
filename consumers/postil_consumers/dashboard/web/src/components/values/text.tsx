/** Recorded text: it is never markup, and cannot reorder or hide the text next to it. */

import type { JSX } from "preact";
import styles from "./text.module.css";

// Control, zero-width and direction characters, except those that join emoji (U+200D) and select their form.
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it finds
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb]/g;

const code = (char: string): string => (char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");

/** Returns the text for a title or an attribute, cut after `most` characters; invisible characters become code points. */
export const plain = (text: string, most = 300): string => {
  const shown = text.replace(UNSEEN, (char) => `⟨${code(char)}⟩`);
  return shown.length > most ? `${shown.slice(0, most)}…` : shown;
};

/** Shows the text, cut after `most` characters; invisible characters appear as their code points. */
export function Text({ children, most }: { children: string; most?: number }): JSX.Element {
  const cut = most !== undefined && children.length > most;
  const text = cut ? children.slice(0, most) : children;
  const parts: (string | JSX.Element)[] = [];
  let from = 0;
  for (const match of text.matchAll(UNSEEN)) {
    parts.push(
      text.slice(from, match.index),
      <span class={styles.unseen} title={`U+${code(match[0])}`}>
        {code(match[0])}
      </span>,
    );
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  if (cut) parts.push("…");
  return <bdi>{parts}</bdi>;
}
