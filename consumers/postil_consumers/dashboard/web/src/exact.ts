/** JSON numbers that JavaScript would round keep their text, so that the page shows what was recorded. */

export class Exact {
  constructor(readonly source: string) {}
  valueOf(): number {
    return Number(this.source);
  }
  toString(): string {
    return this.source;
  }
}

const keep = (_key: string, value: unknown, context?: { source?: string }): unknown => {
  if (typeof value !== "number" || context?.source === undefined) return value;
  const rounded = Number.isInteger(value)
    ? !Number.isSafeInteger(value)
    : !Number.isFinite(value) || context.source.replace(/[^0-9]/g, "").length > 16;
  return rounded ? new Exact(context.source) : value;
};

export function parseJson(text: string): unknown {
  return JSON.parse(text, keep as (key: string, value: unknown) => unknown);
}

/** Pretty-print a parsed value; the inverse of parseJson but for white space. */
export function printJson(value: unknown, indent = ""): string {
  if (value instanceof Exact) return value.source;
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    const inner = indent + "  ";
    return `[\n${value.map((item) => inner + printJson(item, inner)).join(",\n")}\n${indent}]`;
  }
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value);
    if (entries.length === 0) return "{}";
    const inner = indent + "  ";
    return `{\n${entries.map(([k, v]) => `${inner}${JSON.stringify(k)}: ${printJson(v, inner)}`).join(",\n")}\n${indent}}`;
  }
  return JSON.stringify(value) ?? "null";
}
