"""The API of core stands alone, and serves as the base of applications with more routes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from postil.http.app import create_api
from postil.http.database import Database
from postil.settings import load_settings

UNREACHABLE = "postgresql://postil@127.0.0.1:1/postil"


@asynccontextmanager
async def nothing_more(app: FastAPI) -> AsyncGenerator[None]:
    """Add nothing to the lifespan of the API."""
    yield


def api(database_url: str | None = UNREACHABLE) -> FastAPI:
    return create_api(load_settings(database_url=database_url), nothing_more, application_name="test")


def test_api_has_only_routes_of_core() -> None:
    """Without a package that adds to it, the API has the routes of runs and interactions and no others."""
    paths = api().openapi()["paths"]
    assert all(path.startswith(("/api/runs", "/api/totals", "/api/waiting")) for path in paths)
    assert len(paths) == 11


async def test_lifespan_sees_the_database() -> None:
    """The given lifespan is entered after the database was set up, and left before the database is closed."""
    states: list[object] = []

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        states.append(type(app.state.database))
        yield
        states.append("left")

    app = create_api(load_settings(database_url=UNREACHABLE), lifespan, application_name="test")
    async with app.router.lifespan_context(app):
        assert states == [Database]
    assert states == [Database, "left"]


@pytest.mark.parametrize("path", ["/api/runs", "/api/runs/r", "/api/totals", "/api/waiting"])
async def test_unreachable_database_is_unavailable(path: str) -> None:
    """Without its database, each read returns 503 with advice, and asks the client to retry after a second."""
    app = api()
    async with app.router.lifespan_context(app):
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")
        response = await client.get(path)
        await client.aclose()
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert response.json()["error"] == "Unavailable"
    assert response.json()["advice"]
