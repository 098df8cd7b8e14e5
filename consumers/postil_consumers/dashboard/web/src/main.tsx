/** Starts the page. */

import "./styles/tokens.css";
import "./styles/base.css";
import "@fontsource-variable/inter/index.css";
import "@fontsource-variable/source-serif-4/index.css";
import "@preact/signals";
import { render } from "preact";
import { startSession } from "./api/session";
import { App } from "./app/app";
import { startFeed } from "./feed/feed";
import { startPipeline } from "./pipeline/store";
import { startRouter } from "./routing/router";
import { startTotals } from "./runs/totals";
import { startWaiting } from "./waiting/store";

startRouter();
startFeed();
startTotals();
startWaiting();
startSession();
startPipeline();
const root = document.getElementById("app");
if (root) render(<App />, root);
