"""Refuses requests for unknown host names, and writes that another site's page may have sent.

The API uses no cookies and no passwords, so it is protected by checks of where a request comes from:
the Host header against DNS rebinding, Origin and Sec-Fetch-Site against forged requests (CSRF),
and `postil.http.peer` against other users of the machine.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from postil.http.models import ErrorBody
from postil.http.responses import LosslessJsonResponse

_CSP = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'"
)
SECURITY_HEADERS = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_MAX_BODY = 64 * 1024  # bytes


class Guard:
    """ASGI middleware: checks each request, and adds the security headers to each response."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = {"localhost", *(host.lower() for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with the reason."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/api/"):
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, method: str, headers: Headers) -> LosslessJsonResponse | None:
        host = headers.get("host", "")
        if not self._is_known(host):
            return _refused(
                421, f"This server does not serve the host name {host!r}.",
                "Open it under localhost, its IP address, or a name given with --allow-host.",
            )  # fmt: skip
        if method in _SAFE_METHODS:
            return None
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site not in (None, "same-origin") or (origin is not None and _netloc(origin) != host):
            return _refused(
                403, "The request comes from another site's page.", "Send it from this page itself."
            )
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return _refused(415, "A write must be JSON.", "Send it with content-type: application/json.")
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > _MAX_BODY:
            return _refused(
                413,
                "The request has no content-length, or its body is too large.",
                f"Send at most {_MAX_BODY:,} bytes.",
            )
        return None

    def _is_known(self, host: str) -> bool:
        """Return whether this server serves the host; an IP address always, because DNS rebinding needs a name."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._hosts
        return True


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # for example of "http://["
        return None


def _refused(status: int, what: str, advice: str) -> LosslessJsonResponse:
    return LosslessJsonResponse(ErrorBody("Refused", what, advice, None), status_code=status)
