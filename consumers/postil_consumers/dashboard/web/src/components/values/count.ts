/** Counts in words. */

/** Returns a count; one that reached its cap ends with a plus sign. */
export const count = (n: number, cap: number): string =>
  n >= cap ? `${cap.toLocaleString()}+` : n.toLocaleString();
/** Returns a count with its noun, in the singular for 1. */
export const many = (n: number, noun: string, cap = 1000): string =>
  `${count(n, cap)} ${noun}${n === 1 ? "" : "s"}`;
