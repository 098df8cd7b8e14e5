/** Light, dark, or as the system has it. */

import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
const given = document.documentElement.dataset["theme"];
export const theme = signal<Theme>(given === "light" || given === "dark" ? given : "system");

export function turnTheme(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const order: Theme[] = dark ? ["system", "light", "dark"] : ["system", "dark", "light"];
  const next = order[(order.indexOf(theme.value) + 1) % 3] as Theme;
  theme.value = next;
  if (next === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = next;
  try {
    if (next === "system") localStorage.removeItem("postil.theme");
    else localStorage.setItem("postil.theme", next);
  } catch {
    // Storage is off: the choice lasts as long as the page.
  }
}
