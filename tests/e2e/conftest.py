"""One dashboard on a real pipeline for all tests of the page, and a new browser profile for each test."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from postil import Postil
from postil.settings import Settings, load_settings
from postil_consumers.dashboard.testing import ThreadedDashboard
from postil_stack.servers.kafka import EmbeddedKafka
from postil_stack.servers.postgres import EmbeddedPostgres

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="session")
def pipeline(
    postgres_server: EmbeddedPostgres,
    kafka_server: EmbeddedKafka,
    tmp_path_factory: pytest.TempPathFactory,
    end_with_session: Callable[[int], None],
) -> Iterator[Settings]:
    """A database and a topic for all tests of the page, with a real relay between them."""
    name = f"page_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(f"create database {name} template postil_template")
    settings = load_settings(
        database_url=postgres_server.url_of(name),
        **kafka_server.settings(),
        kafka_topic=name,
        data_dir=tmp_path_factory.mktemp("data"),
        http_port=0,
    )
    values = settings.model_dump(mode="json", exclude_none=True)
    environment = {**os.environ, **{f"POSTIL_{key.upper()}": str(value) for key, value in values.items()}}
    relay = subprocess.Popen(
        [sys.executable, "-m", "postil", "relay"], env=environment, stdout=subprocess.PIPE, text=True
    )
    end_with_session(relay.pid)
    assert relay.stdout is not None
    assert relay.stdout.readline() == "ready\n"
    yield settings
    relay.terminate()
    relay.wait(20)
    relay.stdout.close()


@pytest.fixture(scope="session")
def dashboard(pipeline: Settings) -> Iterator[ThreadedDashboard]:
    with ThreadedDashboard(pipeline) as dashboard:
        assert dashboard.wait_live()
        yield dashboard


@pytest.fixture(scope="session")
def postil(pipeline: Settings) -> Iterator[Postil]:
    postil = Postil(pipeline.require_database_url())
    yield postil
    postil.close()


# The scope is the module: while Playwright is open, its event loop runs in the main thread,
# and no asyncio test can run there.
@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Opened:
    """A page of the dashboard with the errors of its console."""

    page: Page
    url: str
    errors: list[str]

    def at(self, path: str) -> Page:
        """Load a path of the dashboard."""
        self.page.goto(self.url + path)
        return self.page


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        viewport={"width": 1440, "height": 900},
        locale="en-GB",
        timezone_id="Europe/Rome",
        color_scheme="light",
    )
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def opened(context: BrowserContext, dashboard: ThreadedDashboard) -> Iterator[Opened]:
    """A page in a new browser profile; the test fails if the console shows an error."""
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("dialog", lambda dialog: errors.append(f"a dialog: {dialog.message}"))
    yield Opened(page, dashboard.url, errors)
    assert errors == []


@pytest.fixture
def run_id(tmp_path: Path) -> str:
    """An id that no other test uses."""
    return f"run/{tmp_path.name}"
