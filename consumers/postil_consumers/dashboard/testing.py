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
from postil_consumers.dashboard.feed.tap import Tap
from postil_consumers.dashboard.server import Server, listen

_PATIENCE = 20.0


class ThreadedDashboard:
    """Serves while its context lasts; `url` is where. What concerns `hub` is to be done `on_loop`."""

    def __init__(self, settings: Settings, *, most_frames: int = 20_000, own_users_only: bool = True) -> None:
        self._settings = settings
        self._most_frames = most_frames
        self._own_users_only = own_users_only
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="postil-dashboard", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._server: Server
        self.app: FastAPI
        self.hub: Hub
        self.url: str

    def __enter__(self) -> Self:
        """Start, and wait until requests are answered. Raises `Unavailable` if that does not come about."""
        self._thread.start()
        if not self._ready.wait(_PATIENCE):
            raise Unavailable("The dashboard did not start.", advice="See its log.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, as SIGTERM would."""
        self._server.should_exit = True
        self._thread.join(_PATIENCE)

    def wait_live(self, timeout: float = _PATIENCE) -> bool:
        """Wait until the feed reads Kafka; False if it does not in time."""
        tap: Tap | None = self.app.state.tap
        return tap is not None and tap.live.wait(timeout)

    def on_loop(self, what: Callable[[], object]) -> None:
        """Run `what` on the server's loop, and wait for it."""
        done = threading.Event()

        def run() -> None:
            what()
            done.set()

        self._loop.call_soon_threadsafe(run)
        done.wait(_PATIENCE)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.hub = Hub(most_frames=self._most_frames)
        listening = listen(self._settings.http_host, self._settings.http_port)
        host, port = listening.getsockname()[:2]
        self.url = f"http://{host}:{port}"
        self.app = create_app(self._settings, hub=self.hub)
        self._server = Server(
            self.app, self.hub, own_users_only=self._own_users_only, when_ready=self._ready.set
        )
        await self._server.serve(sockets=[listening])
