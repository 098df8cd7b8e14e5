"""The dashboard in a thread of another program: for tests and notebooks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from fastapi import FastAPI

from postil.errors import Unavailable
from postil.settings import Settings
from postil_consumers.dashboard.app import create_app
from postil_consumers.dashboard.feed.hub import Hub
from postil_consumers.dashboard.feed.topic_tail import TopicTail
from postil_consumers.dashboard.server import Server, listen

_TIMEOUT = 20.0  # seconds


class ThreadedDashboard:
    """Serves at `url` while its context lasts. Call methods of `hub` through `on_loop`."""

    def __init__(self, settings: Settings, *, max_frames: int = 20_000, own_user_only: bool = True) -> None:
        self._settings = settings
        self._max_frames = max_frames
        self._own_user_only = own_user_only
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="postil-dashboard", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._server: Server
        self.app: FastAPI
        self.hub: Hub
        self.url: str

    def __enter__(self) -> Self:
        """Start, and wait until requests are served. Raises `Unavailable` if they are not in time."""
        self._thread.start()
        if not self._ready.wait(_TIMEOUT):
            raise Unavailable("The dashboard did not start.", advice="See its log.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, as SIGTERM would."""
        self._server.should_exit = True
        self._thread.join(_TIMEOUT)

    def wait_live(self, timeout: float = _TIMEOUT) -> bool:
        """Wait until the feed reads Kafka; returns False if it does not in time."""
        tail: TopicTail | None = self.app.state.topic_tail
        return tail is not None and tail.live.wait(timeout)

    def on_loop(self, function: Callable[[], object]) -> None:
        """Run a function on the server's event loop, and wait for it."""
        completion = threading.Event()

        def run() -> None:
            function()
            completion.set()

        self._loop.call_soon_threadsafe(run)
        completion.wait(_TIMEOUT)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.hub = Hub(max_frames=self._max_frames)
        listener = listen(self._settings.http_host, self._settings.http_port)
        host, port = listener.getsockname()[:2]
        self.url = f"http://{host}:{port}"
        self.app = create_app(self._settings, hub=self.hub)
        self._server = Server(
            self.app, self.hub, own_user_only=self._own_user_only, when_ready=self._ready.set
        )
        await self._server.serve(sockets=[listener])
