/** The page: its frame, and the current view. */

import { useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { Empty } from "../components/states/empty";
import { PipelineView } from "../pipeline/view";
import { view } from "../routing/router";
import { RunView } from "../run/view";
import { RunsView } from "../runs/view";
import { WaitingView } from "../waiting/view";
import { Banners } from "./banners";
import { Bar } from "./bar";
import { Help } from "./help";
import { useViewKeys } from "./keyboard";

const TITLES = { runs: "Runs", waiting: "Waiting", pipeline: "Pipeline", unknown: "Nothing here" };

/** Shows the page. */
export function App(): JSX.Element {
  useViewKeys();
  useSignalEffect(() => {
    const current = view.value;
    if (current.name !== "run") document.title = `${TITLES[current.name]} · Postil`;
  });
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <Bar />
      <Banners />
      <main id="main" tabIndex={-1}>
        <Current />
      </main>
      <Help />
    </>
  );
}

function Current(): JSX.Element {
  const current = view.value;
  switch (current.name) {
    case "runs":
      return <RunsView />;
    case "run":
      return <RunView key={current.id} id={current.id} />;
    case "waiting":
      return <WaitingView />;
    case "pipeline":
      return <PipelineView />;
    case "unknown":
      return (
        <Empty title="There is nothing at this address.">
          <p>
            <a href="/">All runs</a>
          </p>
        </Empty>
      );
  }
}
