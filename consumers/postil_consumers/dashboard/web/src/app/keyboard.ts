/** The keys that work on every view. */

import { useRef } from "preact/hooks";
import { useKeys } from "../routing/keys";
import { view } from "../routing/router";
import { isHelpOpen } from "./help";

const VIEWS: Record<string, string> = { r: "/", w: "/waiting", p: "/pipeline" };

const follow = (link: string): void => document.querySelector<HTMLAnchorElement>(link)?.click();

/** Handles the keys while the page is open: `?` opens the help, Escape goes back, `g` and a letter opens a view. */
export function useViewKeys(): void {
  const isAfterG = useRef(false);
  useKeys((event) => {
    if (isAfterG.current) {
      isAfterG.current = false;
      const path = VIEWS[event.key];
      if (path === undefined) return;
      event.preventDefault();
      follow(`header nav a[href="${path}"]`);
    } else if (event.key === "g") isAfterG.current = true;
    else if (event.key === "?") {
      event.preventDefault();
      isHelpOpen.value = true;
    } else if (event.key === "Escape" && view.value.name !== "runs" && !isHelpOpen.value) {
      if (history.length > 1 && (history.state as { scroll?: number } | null)) history.back();
      else follow('header a[href="/"]');
    }
  });
}
