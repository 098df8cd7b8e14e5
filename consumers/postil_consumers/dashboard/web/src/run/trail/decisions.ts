/** Decisions, approvals, revisions and failures, out of the annotations that record them. */

import type { Annotation, ToolCall } from "../../api/types";
import { brief } from "../../components/values/brief";

/** Annotations that were recorded together by one convention, for example those of one decision. */
export interface Note {
  id: string;
  kind: string;
  of: Annotation;
  fields: Map<string, Annotation>;
}

/** Groups annotations by convention: the annotations `decision.*` of one group are one decision. */
export function notesOf(annotations: readonly Annotation[]): Note[] {
  const notes = new Map<string, Note>();
  for (const annotation of annotations) {
    const [kind = "", ...rest] = annotation.key.split(".");
    const id = `${annotation.group_id}/${kind}`;
    const note = notes.get(id) ?? { id, kind, of: annotation, fields: new Map() };
    notes.set(id, note);
    note.fields.set(rest.join("."), annotation);
  }
  // The view shows the trigger of the run elsewhere.
  return [...notes.values()].filter((note) => note.kind !== "trigger");
}

/** Returns a call in one line: its name and its arguments, without repetitions. */
export function callInWords(call: ToolCall): string {
  const input = call.arguments;
  const values =
    input !== null && typeof input === "object" && !Array.isArray(input) ? Object.values(input) : [input];
  const parts: string[] = [];
  for (const part of [
    call.name,
    ...values.filter((value) => value !== null && value !== undefined).map(brief),
  ]) {
    if (parts.some((other) => other.includes(part))) continue;
    const shorter = parts.findIndex((other) => part.startsWith(`${other} `));
    if (shorter >= 0) parts[shorter] = part;
    else parts.push(part);
  }
  return parts.join(" · ");
}
