/** Class names. */

/** Returns the class attribute of the names that are not empty; a condition that is false adds none. */
export const classes = (...names: (string | false | undefined)[]): string => names.filter(Boolean).join(" ");
