"""Composes the dashboard: the API of core, the feed, the pipeline's state and the page, for one tenant and topic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Route

from postil.http.app import create_api
from postil.http.descriptions import describe_fields
from postil.settings import Settings
from postil_consumers.dashboard import routes
from postil_consumers.dashboard.descriptions import FIELDS
from postil_consumers.dashboard.feed.hub import Hub
from postil_consumers.dashboard.feed.topic_tail import TopicTail
from postil_consumers.dashboard.health import Health
from postil_consumers.dashboard.page_files import PageFiles


def create_app(settings: Settings, *, hosts: Collection[str] = (), hub: Hub | None = None) -> FastAPI:
    """Return the dashboard of `settings`; it serves the names in `hosts`, localhost and IP addresses.

    It starts even if Postgres or Kafka is unavailable, and shows that.
    """
    feed = hub or Hub()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        tail = None
        if settings.kafka_bootstrap_servers:
            tail = TopicTail(
                settings.kafka_client(),
                settings.kafka_topic,
                settings.tenant,
                feed,
                asyncio.get_running_loop(),
            )
            tail.start()
        app.state.hub, app.state.topic_tail = feed, tail
        app.state.health = Health(settings, app.state.database, feed, tail)
        try:
            yield
        finally:
            feed.close()
            if tail is not None:
                tail.stop()
                await asyncio.to_thread(tail.join, 5)

    app = create_api(settings, lifespan, application_name="postil-dashboard", hosts=hosts)
    app.include_router(routes.router)
    describe_fields(app, FIELDS)
    # The last route: it serves every path that the API does not have.
    app.router.routes.append(Route("/{path:path}", PageFiles().serve, methods=["GET"]))
    return app
