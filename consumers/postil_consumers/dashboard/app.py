"""Puts the parts together: one application for one database, one topic and one tenant."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated

from fastapi import FastAPI, Header, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from postil.http import interactions as resolve
from postil.http import responses as answer
from postil.http import runs as api
from postil.http.database import Database
from postil.http.guard import Guard
from postil.settings import Settings
from postil_consumers.dashboard.feed.frame import FeedEnvelope
from postil_consumers.dashboard.feed.hub import FeedNotice, Hub
from postil_consumers.dashboard.feed.tap import Tap
from postil_consumers.dashboard.health import Health, PipelineState
from postil_consumers.dashboard.page_files import Pages


@dataclass(frozen=True, slots=True)
class Session:
    """The tenant that the dashboard shows, the user name to propose for a resolver, and Postil's version."""

    tenant: str
    user: str
    version: str


class EventStream(JSONResponse):
    """Describes the feed in the OpenAPI document: FastAPI states a schema only for classes derived from this one."""

    media_type = "text/event-stream"


def create_app(settings: Settings, *, hosts: Collection[str] = (), hub: Hub | None = None) -> FastAPI:
    """The dashboard of `settings`; `hosts` are names it answers to besides localhost and IP addresses.

    Starts although Postgres or Kafka are away; it shows that they are.
    """
    feed = hub or Hub()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        database = Database(settings.require_database_url())
        tap = None
        if settings.kafka_bootstrap_servers:
            tap = Tap(
                settings.kafka_client(),
                settings.kafka_topic,
                settings.tenant,
                feed,
                asyncio.get_running_loop(),
            )
            tap.start()
        app.state.database, app.state.settings, app.state.tap = database, settings, tap
        app.state.health = Health(settings, database, feed, tap)
        try:
            yield
        finally:
            feed.close()
            if tap is not None:
                tap.stop()
                await asyncio.to_thread(tap.join, 5)
            await database.close()

    app = FastAPI(
        title="Postil", version=version("postil"), lifespan=lifespan,
        openapi_url="/api/openapi.json", docs_url=None, redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    app.add_middleware(Guard, hosts=hosts)
    answer.install(app)
    app.include_router(api.router)
    app.include_router(resolve.router)

    @app.get(
        "/api/feed",
        response_model=FeedEnvelope | FeedNotice,
        response_class=EventStream,
        responses=answer.errors(403, 421, 422),
    )
    async def feed_events(
        last_event_id: Annotated[str | None, Header(max_length=100)] = None,
        after: Annotated[str | None, Query(max_length=100, description="As Last-Event-ID")] = None,
    ) -> Response:
        """Server-sent events: every event of the tenant from now on, or from after Last-Event-ID.

        The schema is that of an event's `data`: an envelope for an event without a name,
        a notice for `hello`, `reset` and `lag`. The data of `alive` is an empty object.
        """
        return StreamingResponse(
            feed.stream(last_event_id or after),
            media_type=EventStream.media_type,
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    @app.get("/api/pipeline", response_model=PipelineState, responses=answer.errors(403, 421))
    async def pipeline(request: Request) -> Response:
        """How far every part of the pipeline is."""
        return answer.LosslessJsonResponse(await request.app.state.health.now())

    @app.get("/api/session", response_model=Session, responses=answer.errors(403, 421))
    async def session() -> Response:
        """Whose dashboard this is: the tenant, and the name to propose for who answers a question."""
        return answer.LosslessJsonResponse(Session(settings.tenant, user_name(), version("postil")))

    app.router.routes.append(Route("/{path:path}", Pages().answer, methods=["GET"]))
    return app


def user_name() -> str:
    """The name of the user this server runs as: with the loopback check on, also the one who looks at it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "user"
