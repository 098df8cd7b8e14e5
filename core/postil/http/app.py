"""The application that every server of the API is built on: runs, interactions, checks and errors.

A package that serves more adds its own routers to it, as the dashboard does.
Core does not look for such packages: a search by entry point would also have to carry
what each of them starts, stops and drains, which is more code than the one call it would replace.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from postil.http import interactions, responses, runs
from postil.http.database import Database
from postil.http.descriptions import FIELDS, describe_fields
from postil.http.guard import Guard
from postil.settings import Settings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_api(
    settings: Settings, lifespan: Lifespan, *, application_name: str, hosts: Collection[str] = ()
) -> FastAPI:
    """Return the API of the database and the tenant that `settings` name.

    While it is served, `app.state` holds the `settings` and the `database`;
    `lifespan` is entered after the database was set up and left before it is closed.
    `hosts` are the host names that are served in addition to localhost and IP addresses;
    Postgres shows `application_name` in ``pg_stat_activity``.
    """

    @asynccontextmanager
    async def serving(app: FastAPI) -> AsyncGenerator[None]:
        app.state.settings = settings
        app.state.database = Database(settings.require_database_url(), application_name)
        try:
            async with lifespan(app):
                yield
        finally:
            await app.state.database.close()

    app = FastAPI(
        title="Postil",
        version=version("postil"),
        lifespan=serving,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.add_middleware(Guard, hosts=hosts)
    responses.install(app)
    describe_fields(app, FIELDS)
    app.include_router(runs.router)
    app.include_router(interactions.router)
    return app
