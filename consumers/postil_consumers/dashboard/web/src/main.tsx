import { render } from "preact";
import "@preact/signals";
import { App } from "./app";
import { startFeed } from "./feed/feed";
import { startRouter } from "./router";
import { startOverview } from "./state/overview";
import "@fontsource-variable/inter/index.css";
import "@fontsource-variable/source-serif-4/index.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/views.css";

startRouter();
startFeed();
startOverview();
const root = document.getElementById("app");
if (root) render(<App />, root);
