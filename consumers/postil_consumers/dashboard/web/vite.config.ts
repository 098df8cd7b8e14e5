import { readFileSync } from "node:fs";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const CARRIED = [
  "preact",
  "@preact/signals",
  "@fontsource-variable/inter",
  "@fontsource-variable/source-serif-4",
];

/** Adds the licences of the packages in the bundle. */
const licences: Plugin = {
  name: "licences",
  generateBundle() {
    const texts = CARRIED.map(
      (name) => `${name}\n\n${readFileSync(`node_modules/${name}/LICENSE`, "utf-8").trim()}\n`,
    );
    this.emitFile({ type: "asset", fileName: "licences.txt", source: texts.join(`\n${"-".repeat(80)}\n\n`) });
  },
};

export default defineConfig({
  plugins: [licences],
  build: {
    outDir: "../static",
    emptyOutDir: true,
    target: "es2022",
    // Strict CSP: everything is a separate file; nothing becomes a data: URL or an inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  css: { modules: { localsConvention: "camelCaseOnly" } },
  test: { include: ["src/**/*.test.ts"] },
  worker: { format: "es" },
  server: { proxy: { "/api": "http://127.0.0.1:8400" } },
});
