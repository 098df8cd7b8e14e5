import { expect, test } from "vitest";
import { LosslessNumber, parseJson, printJson } from "./lossless-json";

test("a number that JavaScript would round keeps its text", () => {
  for (const text of ["9007199254740993", "-12345678901234567890", "1e400", "0.12345678901234567891"]) {
    expect(parseJson(text)).toEqual(new LosslessNumber(text));
    expect(printJson(parseJson(`[${text}]`)).replace(/\s/g, "")).toBe(`[${text}]`);
  }
});

test("a number that JavaScript represents exactly is a number", () => {
  for (const text of ["0", "-1", "9007199254740991", "0.5", "1e3"])
    expect(parseJson(text)).toBe(Number(text));
});

test("printing and reading return the same value", () => {
  const value = { text: 'a "quoted"\nline', list: [1, null, true, {}], empty: [], nested: { "": [[]] } };
  expect(parseJson(printJson(value))).toEqual(value);
});

test("nested values are indented by two spaces, and empty ones stay on one line", () => {
  expect(printJson({ a: [1], b: {} })).toBe('{\n  "a": [\n    1\n  ],\n  "b": {}\n}');
});
