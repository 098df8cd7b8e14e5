/** One stream for all tabs of a browser: a browser opens at most six connections to a host, and each stream holds one. */

import { Connection, type FeedMessage } from "./connection";

const scope = globalThis as unknown as { onconnect: (event: MessageEvent) => void };
const ports = new Set<MessagePort>();
const connection = new Connection((message: FeedMessage) => {
  for (const port of ports) port.postMessage(message);
});

scope.onconnect = (event) => {
  const port = event.ports[0];
  if (!port) return;
  ports.add(port);
  port.onmessage = () => ports.delete(port); // the only message of a tab is that it closes
  connection.open();
  port.postMessage({ kind: "state", state: connection.state } satisfies FeedMessage);
};
