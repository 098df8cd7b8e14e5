/** The colour theme: light, dark, or that of the system. */

import { signal } from "@preact/signals";

type Theme = "system" | "light" | "dark";
const stored = document.documentElement.dataset.theme;
export const theme = signal<Theme>(stored === "light" || stored === "dark" ? stored : "system");

/** Changes to the next theme, and remembers it. */
export function turnTheme(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const order: Theme[] = dark ? ["system", "light", "dark"] : ["system", "dark", "light"];
  const next = order[(order.indexOf(theme.value) + 1) % 3] as Theme;
  theme.value = next;
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    if (next === "system") localStorage.removeItem("postil.theme");
    else localStorage.setItem("postil.theme", next);
  } catch {
    // Storage is off: the choice lasts as long as the page.
  }
}
