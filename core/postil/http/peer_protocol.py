"""Applies the check of `peer` once to each connection, when uvicorn accepts it."""

from __future__ import annotations

import asyncio
import os
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from postil.http.models import ErrorBody
from postil.http.peer import Endpoint, is_own_user
from postil.http.responses import LosslessJsonResponse


class OwnUserProtocol(H11Protocol):
    """Serves this server's user and root. Every other user of the machine gets a 403 with the reason."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's parameter is wider than what it passes
        """Check who connects before anything is read from the connection."""
        super().connection_made(transport)
        client, server = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if not (client and server and is_own_user(Endpoint(*client[:2]), Endpoint(*server[:2]))):
            self.app = cast("Any", _forbidden)


async def _forbidden(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        body = ErrorBody(
            "Refused",
            f"This page belongs to another user of this machine (uid {os.geteuid()}).",
            "Run it as that user, or allow every user with `postil serve --any-local-user`.",
            None,
        )
        response: ASGIApp = LosslessJsonResponse(body, status_code=403)
        await response(scope, receive, send)
