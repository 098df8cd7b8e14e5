import { expect, test } from "vitest";
import { parseJson } from "../../api/lossless-json";
import { brief } from "./brief";
import { count, many } from "./count";
import { plain } from "./text";

test("a value in one line keeps its numbers and has no line breaks", () => {
  expect(brief(parseJson('{"a": [12345678901234567890]}'))).toBe('{ "a": [ 12345678901234567890 ] }');
  expect(brief("text")).toBe("text");
  expect(brief(["a", "b"])).toBe("a, b");
});

test("a count that reached its cap ends with a plus sign", () => {
  expect([count(999, 1000), count(1000, 1000)].map((text) => text.replace(/\D(?=\d)/, ""))).toEqual([
    "999",
    "1000+",
  ]);
});

test("a noun is in the singular for 1 only", () => {
  expect([0, 1, 2].map((n) => many(n, "stage"))).toEqual(["0 stages", "1 stage", "2 stages"]);
});

test("characters that hide or reorder text are shown as their code points", () => {
  expect(plain("\u202egnp.exe")).toBe("⟨202E⟩gnp.exe");
  expect(plain("zero\u200bwidth")).toBe("zero⟨200B⟩width");
  expect(plain("🏴‍☠️")).toBe("🏴‍☠️");
});

test("a long text is cut", () => {
  expect(plain("x".repeat(301))).toBe(`${"x".repeat(300)}…`);
});
