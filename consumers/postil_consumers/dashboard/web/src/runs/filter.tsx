/** The filter of the runs. */

import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { RUN_STATUSES, type RunStatus } from "../api/types";
import buttons from "../components/controls/button.module.css";
import { classes } from "../components/layout/classes";
import { Icon } from "../components/marks/icon";
import { Status } from "../components/marks/status";
import { count } from "../components/values/count";
import { useKeys } from "../routing/keys";
import { place, setQuery } from "../routing/router";
import styles from "./filter.module.css";
import { filterFrom } from "./store";
import { totals } from "./totals";

/** Shows the filter; its values are in the URL. */
export function Filter(): JSX.Element {
  const query = place.value.query;
  const filter = filterFrom(query);
  const field = useRef<HTMLInputElement>(null);
  const typing = useRef<ReturnType<typeof setTimeout>>(undefined);

  useKeys((event) => {
    if (event.key !== "/") return;
    event.preventDefault();
    field.current?.focus();
    field.current?.select();
  });
  // The field follows the URL (back button), but not while the user types in it.
  useEffect(() => {
    if (field.current && document.activeElement !== field.current) field.current.value = filter.q;
  }, [filter.q]);

  const toggle = (status: RunStatus): void => {
    const next = filter.status.includes(status)
      ? filter.status.filter((other) => other !== status)
      : [...filter.status, status];
    setQuery({ status: next }, true);
  };
  return (
    <div class={styles.filter}>
      <search class={styles.search}>
        <Icon name="search" />
        <input
          ref={field}
          type="search"
          defaultValue={filter.q}
          maxLength={200}
          placeholder="Filter by name or id"
          aria-label="Filter runs by name or id"
          onInput={(event) => {
            const text = event.currentTarget.value;
            clearTimeout(typing.current);
            typing.current = setTimeout(() => setQuery({ q: text }), 140);
          }}
          onKeyDown={(event) => {
            if (event.key === "Escape") {
              if (event.currentTarget.value) {
                event.currentTarget.value = "";
                setQuery({ q: null });
              } else event.currentTarget.blur();
              event.preventDefault();
            } else if (event.key === "Enter" || event.key === "ArrowDown") {
              event.preventDefault();
              document.querySelector<HTMLAnchorElement>('[data-part="row"] a')?.focus();
            }
          }}
        />
        {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: <kbd> does not take the focus */}
        <kbd aria-hidden="true">/</kbd>
      </search>
      <div class={styles.chips} role="group" aria-label="Status">
        {RUN_STATUSES.map((status) => {
          const n = totals.value?.[status];
          return (
            <button
              type="button"
              key={status}
              class={styles.chip}
              aria-pressed={filter.status.includes(status)}
              onClick={() => toggle(status)}
            >
              <Status of={status} />
              {n !== undefined && <span class={styles.chipCount}>{count(n, 10_000)}</span>}
            </button>
          );
        })}
      </div>
      <button
        type="button"
        class={classes(buttons.textButton, styles.order)}
        onClick={() => setQuery({ order: filter.order === "newest" ? "oldest" : null }, true)}
        title="Order by the time runs were recorded here"
      >
        {filter.order === "newest" ? "Newest first" : "Oldest first"}
      </button>
    </div>
  );
}
