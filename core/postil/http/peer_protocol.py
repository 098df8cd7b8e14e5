"""Applies `peer` to each connection uvicorn accepts: asked once, when the connection is made."""

from __future__ import annotations

import asyncio
import os
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from postil.http import peer
from postil.http.models import ErrorBody
from postil.http.responses import LosslessJsonResponse


class OwnPeersOnly(H11Protocol):
    """Serves this server's own user and root; anybody else on the machine gets a 403 that says why."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # narrower than needed
        """Look up the other end before anything is read from it."""
        super().connection_made(transport)
        client, server = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        known = client and server and peer.allowed(peer.Peer(*client[:2]), peer.Peer(*server[:2]))
        if not known:
            self.app = cast("Any", _forbidden)


async def _forbidden(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        body = ErrorBody(
            "Refused",
            f"This page belongs to another user of this machine (uid {os.geteuid()}).",
            "Run it as that user, or let everybody in with `postil serve --any-local-user`.",
            None,
        )
        response: ASGIApp = LosslessJsonResponse(body, status_code=403)
        await response(scope, receive, send)
