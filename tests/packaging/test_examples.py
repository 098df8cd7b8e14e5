"""The Python examples of the documents run, in the order of their page, against a real database.

The examples of a page share their variables. They find the names of an application that uses Postil,
as `application` below defines them. A block that cannot run has the reason in a comment before it:
``<!-- not run: it needs a server in another country -->``.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import JSON, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from fixtures.documents import Block, blocks, handwritten
from postil import AsyncPostil, Postil
from postil.postgres.url import sqlalchemy_url

URL = re.compile(r"(?<=[\"'])postgresql(?:\+\w+)?://[^\"']*(?=[\"'])")
"""The address of a database in an example. The test database takes its place."""

DOCUMENTS = [
    document
    for document in ["postil", *handwritten()]
    if any(block.language == "python" for block in blocks(document))
]


class Base(DeclarativeBase):
    """The tables of the application."""


class Refund(Base):
    """What the application of the examples stores."""

    __tablename__ = "refund"
    id: Mapped[int] = mapped_column(primary_key=True)
    order: Mapped[Any] = mapped_column(JSON)
    amount: Mapped[int] = mapped_column(default=42)


class Request(dict[str, Any]):
    """A request as JSON, with HTTP headers."""

    headers = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}  # noqa: RUF012 (read only)


@pytest.fixture
def application(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Return the names that the examples find: those of an application that issues refunds."""
    monkeypatch.setenv("POSTIL_DATABASE_URL", database_url)
    monkeypatch.setenv("DATABASE_URL", database_url)
    engine = create_engine(sqlalchemy_url(database_url))
    async_engine = create_async_engine(sqlalchemy_url(database_url))
    Base.metadata.create_all(engine)
    postil = Postil(engine)
    postil.create_run("run-42", name="refund-request", input={"order": 7})
    with Session(engine) as session:
        names: dict[str, Any] = {
            "engine": engine,
            "async_engine": async_engine,
            "session": session,
            "async_session": AsyncSession(async_engine),
            "postil": postil,
            "async_postil": AsyncPostil(async_engine),
            "run_id": "run-42",
            "Session": Session,
            "AsyncSession": AsyncSession,
            "Refund": Refund,
            "refund": Refund(order=7),
            "order": 7,
            "order_id": 7,
            "lookup": lambda order_id: order_id,
            "request": Request(order=7),
            "message": SimpleNamespace(id="order-7-received"),
        }
        yield names
    for made in {engine, names["engine"]}:  # an example may create its own
        made.dispose()
    asyncio.run(async_engine.dispose())


@pytest.fixture
def answering(database_url: str) -> Iterator[None]:
    """Accept every question that an example asks."""
    stopped = threading.Event()

    def answer() -> None:
        query = """
        select postil.resolve_interaction(tenant, run_id, id, '{"outcome": "accept"}', '{"kind": "user", "id": "dana"}')
          from postil.interaction where status = 'pending'
        """
        with psycopg.connect(database_url, autocommit=True) as connection:
            while not stopped.wait(0.05):
                connection.execute(query)

    thread = threading.Thread(target=answer)
    thread.start()
    yield
    stopped.set()
    thread.join()


def run(block: Block, document: str, names: dict[str, Any], database_url: str) -> None:
    """Run one example. An error's traceback shows the line of the document."""
    source = "\n" * (block.line - 1) + URL.sub(database_url, block.code)
    code = compile(source, document, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    run_code: Callable[[], Any] = eval if code.co_flags & inspect.CO_COROUTINE else exec
    result = run_code(code, names)
    if inspect.iscoroutine(result):
        asyncio.run(result)
    names["session"].commit()  # the next example may write to the same run in its own transaction


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.usefixtures("answering")
def test_the_examples_of_a_document_run(
    document: str, application: dict[str, Any], database_url: str
) -> None:
    """Each Python block of a document runs without an error, after the blocks before it."""
    for block in blocks(document):
        if block.language == "python" and block.reason is None:
            run(block, document, application, database_url)
    assert application["session"].is_active


def test_the_documents_with_examples_are_known() -> None:
    """The search for examples finds those of the README, of the package and of the guides."""
    assert {"postil", "README.md", "docs/guides/writing.md"} <= set(DOCUMENTS)


def test_an_example_that_fails_names_its_line(application: dict[str, Any], database_url: str) -> None:
    """An error in an example has a traceback with the document and the line."""
    block = Block("python", "order\nunknown\n", 17, None)
    with pytest.raises(NameError) as caught:
        run(block, "README.md", application, database_url)
    assert (caught.traceback[-1].frame.code.raw.co_filename, caught.traceback[-1].lineno) == ("README.md", 17)
