/** Writes an id as one segment of a URL path, with "~" in place of "%". The server's `run_ids.py` reads it. */

const PLAIN = /^[A-Za-z0-9_.:-]$/;

/** Returns the path segment of an id. */
export function toSegment(id: string): string {
  let written = "";
  for (const char of id) {
    if (PLAIN.test(char)) written += char;
    else
      for (const byte of new TextEncoder().encode(char))
        written += `~${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return written.startsWith(".") ? `~2E${written.slice(1)}` : written;
}

/** Returns the id of a path segment, or null if the segment is malformed. */
export function fromSegment(segment: string): string | null {
  const bytes: number[] = [];
  for (let i = 0; i < segment.length; ) {
    if (segment[i] === "~") {
      const hex = segment.slice(i + 1, i + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(hex)) return null;
      bytes.push(parseInt(hex, 16));
      i += 3;
    } else {
      const char = String.fromCodePoint(segment.codePointAt(i) ?? 0);
      bytes.push(...new TextEncoder().encode(char));
      i += char.length;
    }
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(bytes));
  } catch {
    return null;
  }
}

/** Returns the path of a run, on the page and below `/api`. */
export const runPath = (id: string): string => `/runs/${toSegment(id)}`;
