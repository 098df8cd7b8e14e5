/** The current view, read from the URL alone, so that a link, a reload and the Back button lead to the same view. */

import { computed, signal } from "@preact/signals";
import { type View, viewOf } from "./view";

/** The parts of the URL that choose the view. */
export interface Place {
  path: string;
  query: URLSearchParams;
}

const here = (): Place => ({ path: location.pathname, query: new URLSearchParams(location.search) });

export const place = signal<Place>(here());

export const view = computed<View>(() => viewOf(place.value.path));

/** Shows another view, as a link does. */
export function go(url: string): void {
  history.replaceState({ scroll: scrollY }, "");
  history.pushState({ scroll: 0 }, "", url);
  place.value = here();
  scrollTo(0, 0);
}

/** Changes the query of the URL. `push` adds an entry to the history: use it for a choice, not while the user types. */
export function setQuery(change: Record<string, string | readonly string[] | null>, push = false): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) {
    query.delete(name);
    if (typeof value === "string" && value !== "") query.set(name, value);
    else if (Array.isArray(value)) for (const item of value as readonly string[]) query.append(name, item);
  }
  const text = query.toString();
  const url = location.pathname + (text ? `?${text}` : "");
  if (push) {
    history.replaceState({ scroll: scrollY }, "");
    history.pushState({ scroll: scrollY }, "", url);
  } else history.replaceState({ scroll: scrollY }, "", url);
  place.value = here();
}

/** Follows the links of the page, and the Back and Forward buttons. */
export function startRouter(): void {
  history.scrollRestoration = "manual";
  addEventListener("popstate", (event) => {
    place.value = here();
    const scroll = (event.state as { scroll?: number } | null)?.scroll ?? 0;
    requestAnimationFrame(() => requestAnimationFrame(() => scrollTo(0, scroll)));
  });
  document.addEventListener("click", (event) => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = (event.target as Element).closest?.("a[href]");
    if (
      !(link instanceof HTMLAnchorElement) ||
      link.origin !== location.origin ||
      link.target ||
      link.hasAttribute("download")
    )
      return;
    if (link.pathname.startsWith("/api/")) return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}
