/** The user of the page. */

import { effect, signal } from "@preact/signals";
import { get } from "./client";
import { atMostEvery } from "./refresh";
import type { Session } from "./types";

const KEY = "postil.who";

/** The tenant, the proposed user name and the version of the server; null until it is loaded. */
export const session = signal<Session | null>(null);
/** The name that each answer of this page is recorded under. The browser remembers it. */
export const userName = signal(stored() ?? "");

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** Loads the session, and remembers the user name. */
export function startSession(): void {
  atMostEvery(async () => {
    session.value = await get<Session>("/session");
    userName.value ||= session.value.user;
  }, 1000)();
  effect(() => {
    try {
      localStorage.setItem(KEY, userName.value);
    } catch {
      // Storage is off: the name lasts as long as the page.
    }
  });
}
