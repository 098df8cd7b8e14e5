/** Where the page is: all of it in the URL, so that a link, a reload and the back button mean the same. */

import { computed, signal } from "@preact/signals";
import { fromSegment } from "./address";

export interface Place {
  path: string;
  query: URLSearchParams;
}

const here = (): Place => ({ path: location.pathname, query: new URLSearchParams(location.search) });

export const place = signal<Place>(here());

export type View =
  | { name: "runs" }
  | { name: "run"; id: string }
  | { name: "waiting" }
  | { name: "pipeline" }
  | { name: "unknown" };

export const view = computed<View>(() => {
  const path = place.value.path.replace(/\/+$/, "");
  if (path === "" || path === "/runs") return { name: "runs" };
  if (path === "/waiting" || path === "/pipeline") return { name: path.slice(1) as "waiting" | "pipeline" };
  if (path.startsWith("/runs/")) {
    const id = fromSegment(decodeURI(path.slice("/runs/".length)));
    if (id !== null) return { name: "run", id };
  }
  return { name: "unknown" };
});

export function go(url: string): void {
  history.replaceState({ scroll: scrollY }, "");
  history.pushState({ scroll: 0 }, "", url);
  place.value = here();
  scrollTo(0, 0);
}

/** Change the query in place: a filter that is being typed makes no entry in the history, a chosen filter does. */
export function setQuery(change: Record<string, string | readonly string[] | null>, push = false): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) {
    query.delete(name);
    if (typeof value === "string" && value !== "") query.set(name, value);
    else if (Array.isArray(value)) for (const one of value as readonly string[]) query.append(name, one);
  }
  const text = query.toString();
  const url = location.pathname + (text ? `?${text}` : "");
  if (push) {
    history.replaceState({ scroll: scrollY }, "");
    history.pushState({ scroll: scrollY }, "", url);
  } else history.replaceState({ scroll: scrollY }, "", url);
  place.value = here();
}

export function startRouter(): void {
  history.scrollRestoration = "manual";
  addEventListener("popstate", (event) => {
    place.value = here();
    const scroll = (event.state as { scroll?: number } | null)?.scroll ?? 0;
    requestAnimationFrame(() => requestAnimationFrame(() => scrollTo(0, scroll)));
  });
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest?.("a[href]");
    if (!(link instanceof HTMLAnchorElement) || link.origin !== location.origin || link.target || link.hasAttribute("download")) return;
    if (link.pathname.startsWith("/api/")) return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}
