/** One stream for all tabs of a browser: a browser opens only six connections to a host, and a stream keeps one. */

import { Line, type FromLine } from "./line";

const scope = globalThis as unknown as { onconnect: (event: MessageEvent) => void };
const ports = new Set<MessagePort>();
const line = new Line((message: FromLine) => {
  for (const port of ports) port.postMessage(message);
});

scope.onconnect = (event) => {
  const port = event.ports[0];
  if (!port) return;
  ports.add(port);
  port.onmessage = () => ports.delete(port); // the only message of a tab is that it closes
  line.open();
  port.postMessage({ kind: "state", state: line.state } satisfies FromLine);
};
