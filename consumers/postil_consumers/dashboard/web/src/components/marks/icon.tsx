/** The icons of the page. They are decorative: words always stand next to them. */

import type { JSX } from "preact";
import styles from "./icon.module.css";

const SHAPES: Record<string, JSX.Element> = {
  running: (
    <>
      <circle cx="8" cy="8" r="5.25" class={styles.track} />
      <path d="M8 2.75A5.25 5.25 0 0 1 13.25 8" class={styles.spin} />
    </>
  ),
  waiting: (
    <>
      <circle cx="8" cy="8" r="6" class={styles.fill} />
      <path d="M6.4 5.6v4.8M9.6 5.6v4.8" class={styles.on} />
    </>
  ),
  completed: <path d="m3.5 8.6 3 3 6-6.8" />,
  failed: <path d="m4.2 4.2 7.6 7.6m0-7.6-7.6 7.6" />,
  cancelled: <path d="M3.5 8h9" />,
  pending: <circle cx="8" cy="8" r="4.75" stroke-dasharray="2.2 2" />,
  copy: (
    <>
      <rect x="5.5" y="5.5" width="7.5" height="7.5" rx="1.5" />
      <path d="M10.5 3.5H4.6A1.6 1.6 0 0 0 3 5.1v5.4" />
    </>
  ),
  link: (
    <path d="M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.1-2.1a2.6 2.6 0 0 0-3.7-3.7l-.9.9m1.2 2.5a2.6 2.6 0 0 0-3.7 0L3.4 8.9a2.6 2.6 0 0 0 3.7 3.7l.9-.9" />
  ),
  done: <path d="m3.5 8.6 3 3 6-6.8" />,
  chevron: <path d="m6 3.5 4.5 4.5L6 12.5" />,
  back: <path d="M9.5 3.5 5 8l4.5 4.5" />,
  search: (
    <>
      <circle cx="7" cy="7" r="4.2" />
      <path d="m10.2 10.2 3.3 3.3" />
    </>
  ),
  sun: (
    <>
      <circle cx="8" cy="8" r="2.8" />
      <path d="M8 1.6v1.4M8 13v1.4M1.6 8H3m10 0h1.4M3.5 3.5l1 1m7 7 1 1m0-9-1 1m-7 7-1 1" />
    </>
  ),
  moon: <path d="M13 9.6A5.4 5.4 0 0 1 6.4 3a5.4 5.4 0 1 0 6.6 6.6Z" />,
  auto: (
    <>
      <circle cx="8" cy="8" r="5.4" />
      <path d="M8 2.6a5.4 5.4 0 0 1 0 10.8Z" class={styles.fill} />
    </>
  ),
};

/** Shows an icon of 16 by 16 pixels. */
export function Icon({ name }: { name: string }): JSX.Element {
  return (
    <svg
      class={styles.icon}
      data-part="icon"
      data-icon={name}
      viewBox="0 0 16 16"
      width="16"
      height="16"
      aria-hidden="true"
      focusable="false"
    >
      {SHAPES[name]}
    </svg>
  );
}
