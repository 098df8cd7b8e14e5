"""Runs the dashboard under uvicorn: reports when it is ready, and ends open streams before it shuts down."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Collection
from contextlib import ExitStack

import structlog
import uvicorn
from starlette.types import ASGIApp

from postil.errors import ConfigurationError
from postil.http import peer
from postil.http.peer_protocol import OwnUserProtocol
from postil.runtime.logs import announce_ready, configure_logs
from postil.runtime.signals import on_stop_signal
from postil.settings import Settings
from postil_consumers.dashboard.app import create_app
from postil_consumers.dashboard.feed.hub import Hub

logger = structlog.get_logger("postil.dashboard")


class Server(uvicorn.Server):
    """uvicorn that first closes the feed when it shuts down: open streams would otherwise delay it."""

    def __init__(
        self, app: ASGIApp, hub: Hub, *, own_user_only: bool, when_ready: Callable[[], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=OwnUserProtocol if own_user_only else "auto",
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
        """Start, and report that requests are served."""
        await super().startup(sockets)
        if self.started:
            self._when_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then the server."""
        self._hub.close()
        await super().shutdown(sockets)


def serve(settings: Settings, *, hosts: Collection[str] = (), any_local_user: bool = False) -> None:
    """Serve until SIGTERM or SIGINT, which end the process with 0.

    Raises `ConfigurationError` if the server cannot listen on the address.
    """
    configure_logs()
    settings.require_database_url()
    listener = listen(settings.http_host, settings.http_port)
    own_user_only = peer.is_loopback(settings.http_host) and not any_local_user and peer.is_supported()
    host, port = listener.getsockname()[:2]
    logger.info(
        "dashboard", url=f"http://{f'[{host}]' if ':' in host else host}:{port}", own_user_only=own_user_only
    )
    if not peer.is_loopback(settings.http_host):
        logger.warning(
            "listening beyond this machine: every client that reaches it can read runs and resolve interactions",
            host=host,
        )
    hub = Hub()
    app = create_app(settings, hosts=hosts, hub=hub)
    # uvicorn drains on a signal, and then raises it once more for the handler that was installed before.
    on_stop_signal(sys.exit)
    Server(app, hub, own_user_only=own_user_only, when_ready=announce_ready).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address; raises `ConfigurationError` if it cannot be bound."""
    with ExitStack() as stack:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listener = stack.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            raise ConfigurationError(
                f"The dashboard cannot listen on {host} port {port}: {error.strerror or error}.",
                advice="Choose another port with POSTIL_HTTP_PORT or --port, or stop what uses this one.",
            ) from None
        stack.pop_all()
    return listener
