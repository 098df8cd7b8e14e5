/** JSON values in one line. */

import { printJson } from "../../api/lossless-json";

/** Returns a value in one line: a text without its quotes, a list of texts with commas, the rest as compact JSON. */
export function brief(value: unknown): string {
  if (Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string"))
    return value.join(", ");
  if (typeof value === "string") return value;
  return printJson(value).replace(/\n\s*/g, " ");
}
