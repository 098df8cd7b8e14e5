"""Runs the application under uvicorn: streams end before the wait for them begins, readiness is said aloud."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Collection
from contextlib import ExitStack
from types import FrameType

import structlog
import uvicorn
from starlette.types import ASGIApp

from postil.errors import ConfigurationError
from postil.http import peer
from postil.http.peer_protocol import OwnPeersOnly
from postil.runtime.logs import announce_ready, configure_logs
from postil.settings import Settings
from postil_consumers.dashboard.app import create_app
from postil_consumers.dashboard.feed.hub import Hub

log = structlog.get_logger("postil.dashboard")


class Server(uvicorn.Server):
    """uvicorn, which on SIGTERM first closes the feed: an open stream would otherwise hold it up."""

    def __init__(
        self, app: ASGIApp, hub: Hub, *, own_users_only: bool, when_ready: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=OwnPeersOnly if own_users_only else "auto",
                ws="none",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=5,
            )
        )
        self._hub = hub
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say that the page can be opened."""
        await super().startup(sockets)
        if self.started:
            self._when_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        self._hub.close()
        await super().shutdown(sockets)


def serve(settings: Settings, *, hosts: Collection[str] = (), any_local_user: bool = False) -> None:
    """Serve until SIGTERM or SIGINT, which end the process with 0.

    Raises `ConfigurationError` where the address cannot be listened on.
    """
    configure_logs()
    settings.require_database_url()
    listening = listen(settings.http_host, settings.http_port)
    guarded = peer.is_loopback(settings.http_host) and not any_local_user and peer.can_tell()
    host, port = listening.getsockname()[:2]
    log.info("dashboard", url=f"http://{f'[{host}]' if ':' in host else host}:{port}", own_user_only=guarded)
    if not peer.is_loopback(settings.http_host):
        log.warning(
            "listening beyond this machine: whoever reaches this address reads and answers", host=host
        )
    hub = Hub()
    app = create_app(settings, hosts=hosts, hub=hub)
    # uvicorn drains on a signal, and then raises it once more for whoever handled it before.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)
    Server(app, hub, own_users_only=guarded, when_ready=announce_ready).run(sockets=[listening])


def _exit(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def listen(host: str, port: int) -> socket.socket:
    """Take the address before anything else is done; raises `ConfigurationError` where it cannot be had."""
    with ExitStack() as opened:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listening = opened.enter_context(socket.socket(family, kind, protocol))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
        except OSError as error:
            raise ConfigurationError(
                f"The dashboard cannot listen on {host} port {port}: {error.strerror or error}.",
                advice="Choose another port with POSTIL_HTTP_PORT or --port, or stop what uses this one.",
            ) from None
        opened.pop_all()
    return listening
