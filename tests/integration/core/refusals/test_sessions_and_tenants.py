"""Writes in a session that is not durable, or for another tenant, are refused. The async client refuses the same."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, text

from fixtures.malformed import NUL, SURROGATE
from postil import AsyncPostil, Postil, errors
from postil.commands import Annotate, CreateRun, RecordRuns
from postil.postgres import sqlalchemy_url

Refusal = Callable[..., errors.WriteRefused]

WRITES = [
    "create_run('default', %(run)s || '-new')",
    "start_run('default', %(run)s)",
    "finish_run('default', %(run)s)",
    "cancel_run('default', %(run)s)",
    'annotate(\'default\', %(run)s, \'[{"key": "a", "value": 1}]\')',
    "annotate_many('default', jsonb_build_array(jsonb_build_object('run_id', %(run)s::text, 'annotations', '[]'::jsonb)))",
    "start_stage('default', %(run)s, 's')",
    "complete_stage('default', %(run)s, 'x')",
    "fail_stage('default', %(run)s, 'x')",
    "suspend_stage('default', %(run)s, 'x')",
    "resume_stage('default', %(run)s, 'x')",
    "start_tool_call('default', %(run)s, 't')",
    "finish_tool_call('default', %(run)s, 'x')",
    "record_tool_call('default', %(run)s, 't')",
    "ask('default', %(run)s, '?')",
    "resolve_interaction('default', %(run)s, 'x', '1')",
    "cancel_interaction('default', %(run)s, 'x')",
    "record_runs('default', '[]')",
]


@pytest.fixture
def session_with(write_url: str) -> Iterator[Callable[..., psycopg.Connection[Any]]]:
    """Opens connections whose sessions have the settings that are given; "__" stands for a dot."""
    connections: list[psycopg.Connection[Any]] = []

    def connect(**settings: str) -> psycopg.Connection[Any]:
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        connections.append(psycopg.connect(write_url, options=options.replace("__", "."), autocommit=True))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


@pytest.fixture
def client_of(write_url: str) -> Iterator[Callable[[Any], Postil]]:
    """Makes clients of a tenant."""
    clients: list[Postil] = []

    def make(tenant: Any) -> Postil:
        clients.append(Postil(write_url, tenant=tenant))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    ("settings", "sqlstate"),
    [({"synchronous_commit": "off"}, "PS008"), ({"postil__tenant": "another"}, "PS007")],
    ids=["not durable", "another tenant"],
)
@pytest.mark.parametrize("call", WRITES, ids=lambda call: call.partition("(")[0])
def test_every_write_function_checks_its_session(
    record: Any, busy_run: str, session_with: Any, call: str, settings: dict[str, str], sqlstate: str
) -> None:
    """Every write function refuses a session without durable commits and one that belongs to another tenant."""
    before = record.traces()
    statement = f"select * from postil.{call}"
    with pytest.raises(psycopg.Error) as caught:
        session_with(**settings).execute(statement, {"run": busy_run})
    assert caught.value.sqlstate == sqlstate
    assert record.traces() == before


@pytest.mark.parametrize("call", WRITES, ids=lambda call: call.partition("(")[0])
def test_a_durable_session_of_the_tenant_may_write(busy_run: str, session_with: Any, call: str) -> None:
    """The same write succeeds in a session with local durable commits that belongs to the tenant."""
    session = session_with(synchronous_commit="local", postil__tenant="default")
    session.execute(f"select * from postil.{call}", {"run": busy_run})


def test_the_client_refuses_a_session_that_is_not_durable(write_url: str, busy_run: str) -> None:
    """A write in a transaction with ``synchronous_commit = off`` raises `NotDurable`."""
    engine = create_engine(sqlalchemy_url(write_url))
    postil = Postil(engine)
    with engine.begin() as connection:
        connection.execute(text("set local synchronous_commit = off"))
        with pytest.raises(errors.NotDurable):
            postil.on(connection).annotate(busy_run, {"a": 1})
        connection.rollback()
    postil.close()


async def test_the_async_client_raises_the_same_errors(
    async_postil: AsyncPostil, record: Any, busy_run: str
) -> None:
    """The async client raises the typed errors of the sync client, and stores nothing."""
    with pytest.raises(errors.InvalidAnnotation):
        await async_postil.annotate(busy_run, {"A": 1})
    with pytest.raises(errors.RunNotFound):
        await async_postil.annotate("unknown", {"a": 1})
    assert record.keys(busy_run) == []


@pytest.mark.parametrize(
    "command",
    [Annotate("run", [{"a": 1}]), CreateRun("run"), RecordRuns([{"run_id": "run"}])],
    ids=lambda command: type(command).__name__,
)
def test_an_unknown_tenant_is_not_found(
    refusal: Refusal, client_of: Callable[[Any], Postil], command: Any
) -> None:
    """A write for a tenant that was not created raises `TenantNotFound`."""
    refusal(command, errors.TenantNotFound, client=client_of("unknown-tenant"))


def test_the_runs_of_another_tenant_are_not_found(
    record: Any, refusal: Refusal, client_of: Callable[[Any], Postil], busy_run: str
) -> None:
    """A tenant does not find another tenant's run, and can create a run of the same id for itself."""
    tenant = f"other-{uuid.uuid4().hex[:8]}"
    record.sql("select postil.create_tenant(%s)", tenant)
    client = client_of(tenant)
    refusal(Annotate(busy_run, [{"a": 1}]), errors.RunNotFound, client=client)
    client.create_run(busy_run)
    client.annotate(busy_run, {"theirs": 1})
    assert [data["key"] for _, data in record.events(busy_run, tenant=tenant) if "key" in data] == ["theirs"]
    assert record.keys(busy_run) == []


@pytest.mark.parametrize("tenant", [NUL, SURROGATE, 5, None], ids=ascii)
def test_a_malformed_tenant_is_refused(
    refusal: Refusal, client_of: Callable[[Any], Postil], busy_run: str, tenant: Any
) -> None:
    """A write with a tenant that is not plain text raises `InvalidInput`."""
    refusal(Annotate(busy_run, [{"a": 1}]), errors.InvalidInput, client=client_of(tenant))
