"""The guard refuses requests by where they come from, and adds the security headers to every response."""

from __future__ import annotations

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from postil.http.guard import Guard


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


def client(host: str = "127.0.0.1:8400") -> httpx.AsyncClient:
    guard = Guard(hello, hosts=["postil.internal"])
    return httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url=f"http://{host}")


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8400", "localhost", "localhost:1", "[::1]:8400", "192.0.2.7", "postil.internal", "POSTIL.internal:99"]
)  # fmt: skip
async def test_known_hosts_are_served(host: str) -> None:
    """A request for localhost, an IP address or an allowed name is served, with or without a port."""
    assert (await client().get("/", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8400", "", "[::1", "a b"]
)
async def test_unknown_host_is_refused(host: str) -> None:
    """A request for any other name gets a 421: its owner may point the name at this machine (DNS rebinding)."""
    response = await client().get("/", headers={"host": host})
    assert response.status_code == 421
    assert "--allow-host" in response.json()["advice"]


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (JSON, 200),
        (JSON | {"origin": "http://127.0.0.1:8400"}, 200),
        (JSON | {"origin": "http://127.0.0.1:8400", "sec-fetch-site": "same-origin"}, 200),
        (JSON | {"content-type": "application/json; charset=utf-8"}, 200),
        (JSON | {"origin": "http://evil.example"}, 403),
        (JSON | {"origin": "http://127.0.0.1:9999"}, 403),
        (JSON | {"origin": "null"}, 403),
        (JSON | {"origin": "http://["}, 403),
        (JSON | {"sec-fetch-site": "cross-site"}, 403),
        (JSON | {"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json-patch"}, 415),
        ({}, 415),
        (JSON | {"content-length": "9999999"}, 413),
    ],
)
async def test_write_must_be_same_origin_json(headers: dict[str, str], status: int) -> None:
    """A write is served only if it is JSON of a limited length and no header shows another origin."""
    response = await client().post("/api/x", headers=headers, content=b"{}")
    assert response.status_code == status


async def test_every_response_has_security_headers() -> None:
    """Served and refused requests get the same policy, which allows nothing unsafe and no framing."""
    for response in (await client().get("/"), await client().get("/", headers={"host": "evil.example"})):
        policy = response.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
