/** Reads and prints JSON without loss: a number that JavaScript would round keeps its text. */

/** A JSON number that JavaScript cannot represent exactly. */
export class LosslessNumber {
  constructor(readonly source: string) {}
  valueOf(): number {
    return Number(this.source);
  }
  toString(): string {
    return this.source;
  }
}

const revive = (_key: string, value: unknown, context?: { source?: string }): unknown => {
  if (typeof value !== "number" || context?.source === undefined) return value;
  const rounded = Number.isInteger(value)
    ? !Number.isSafeInteger(value)
    : !Number.isFinite(value) || context.source.replace(/[^0-9]/g, "").length > 16;
  return rounded ? new LosslessNumber(context.source) : value;
};

/** Returns the value of a JSON text, with a `LosslessNumber` for each number that would be rounded. */
export function parseJson(text: string): unknown {
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown);
}

/** Returns the indented JSON text of a value that `parseJson` returned. */
export function printJson(value: unknown, indent = ""): string {
  if (value instanceof LosslessNumber) return value.source;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    const inner = `${indent}  `;
    return `[\n${value.map((item) => inner + printJson(item, inner)).join(",\n")}\n${indent}]`;
  }
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value);
    if (entries.length === 0) return "{}";
    const inner = `${indent}  `;
    return `{\n${entries.map(([k, v]) => `${inner}${JSON.stringify(k)}: ${printJson(v, inner)}`).join(",\n")}\n${indent}}`;
  }
  return JSON.stringify(value) ?? "null";
}
