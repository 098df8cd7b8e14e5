/** The bar at the top: navigation, the state of the feed, the theme. */

import type { JSX } from "preact";
import { session } from "../api/session";
import buttons from "../components/controls/button.module.css";
import { classes } from "../components/layout/classes";
import { Dot } from "../components/marks/dot";
import { Icon } from "../components/marks/icon";
import { feedState } from "../feed/feed";
import { pipeline, troubles } from "../pipeline/store";
import { view } from "../routing/router";
import { waiting } from "../waiting/store";
import styles from "./bar.module.css";
import { isHelpOpen } from "./help";
import { theme, turnTheme } from "./theme";

/** Shows the bar. */
export function Bar(): JSX.Element {
  const at = view.value.name;
  const pending = waiting.value;
  const number = pending ? pending.items.length : 0;
  const current = (name: string): "page" | undefined => (at === name ? "page" : undefined);
  const icon = { system: "auto", light: "sun", dark: "moon" }[theme.value];
  return (
    <header class={styles.bar}>
      <a class={styles.mark} href="/" aria-label="Postil: all runs">
        <img src="/icon.svg" alt="" width="20" height="20" />
        <span>Postil</span>
      </a>
      <nav aria-label="Views">
        <a href="/" aria-current={current("runs") ?? (at === "run" ? "true" : undefined)}>
          Runs
        </a>
        <a href="/waiting" aria-current={current("waiting")}>
          Waiting
          {number > 0 && (
            <span class={styles.badge}>
              {number}
              {pending?.next ? "+" : ""}
            </span>
          )}
        </a>
        <a href="/pipeline" aria-current={current("pipeline")}>
          Pipeline
          {troubles.value.length > 0 && (
            <span class={classes(styles.badge, styles.bad)} title={troubles.value.join("\n")}>
              !
            </span>
          )}
        </a>
      </nav>
      <div class={styles.barEnd}>
        {session.value && session.value.tenant !== "default" && (
          <span class={styles.tenant}>{session.value.tenant}</span>
        )}
        <FeedMark />
        <button type="button" class={buttons.quietButton} onClick={turnTheme} title={`Theme: ${theme.value}`}>
          <Icon name={icon} />
          <span class="sr">Theme: {theme.value}. Change it.</span>
        </button>
        <button
          type="button"
          class={classes(buttons.quietButton, styles.helpButton)}
          onClick={() => (isHelpOpen.value = true)}
          title="Keyboard help (?)"
        >
          <span aria-hidden="true">?</span>
          <span class="sr">Keyboard help</span>
        </button>
      </div>
    </header>
  );
}

function FeedMark(): JSX.Element {
  const state = feedState.value;
  const kafka = pipeline.value?.feed.state;
  const live = state === "live" && (kafka === undefined || kafka === "live");
  const word = state === "lost" ? "Offline" : live ? "Live" : "Connecting";
  return (
    <a
      href="/pipeline"
      class={classes(styles.feedMark, live ? styles.isLive : styles.isOff)}
      data-part="feed-state"
      title={live ? "Events appear as they are committed" : "The live feed is not connected"}
    >
      <Dot />
      {word}
    </a>
  );
}
