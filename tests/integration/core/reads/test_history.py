"""Reads are paged by keyset, per tenant, and in one snapshot with the run's head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, create_engine, text

from postil import Postil
from postil.errors import SchemaOutdated
from postil.model.actors import agent
from postil.model.conventions import Decision
from postil.model.queries import InvalidQuery, RunFilter, RunPage
from postil.postgres import sqlalchemy_url
from postil.postgres.execute import execute
from postil.postgres.reads import one_run as run_reads
from postil.postgres.reads import runs as reads
from postil.postgres.reads.pipeline import pipeline
from postil.postgres.statement import Statement

T = TypeVar("T")


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create_engine(sqlalchemy_url(database_url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def postil(database_url: str) -> Iterator[Postil]:
    postil = Postil(database_url)
    yield postil
    postil.close()


def create(
    connection: Connection, *ids: str, status: str = "running", name: str = "work", tenant: str = "default"
) -> None:
    for identifier in ids:
        connection.execute(
            text("select postil.create_run(:tenant, :id, name => :name, status => :status)"),
            {"tenant": tenant, "id": identifier, "name": name, "status": status},
        )


@contextmanager
def at_once(connection: Connection) -> Iterator[None]:
    """Everything within shares one transaction, and so one created_at."""
    connection.exec_driver_sql("begin")
    yield
    connection.exec_driver_sql("commit")


def walk(
    connection: Connection, *statuses: str, order: Any = "newest", limit: int = 3, q: str | None = None
) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        wanted = RunFilter.parse(statuses=statuses, text=q)
        page = execute(connection, reads.runs("default", wanted, limit=limit, cursor=cursor, order=order))
        assert len(page.items) <= limit
        found += [run.id for run in page.items]
        cursor = page.next
        if cursor is None:
            return found


def test_pages_join_to_the_whole_list_in_both_directions(connection: Connection) -> None:
    """Also where many runs share one moment, as those of one import do."""
    with at_once(connection):
        create(connection, *(f"same-{n}" for n in range(5)))
    create(connection, *(f"later-{n}" for n in range(4)))
    newest = [*(f"later-{n}" for n in (3, 2, 1, 0)), *(f"same-{n}" for n in (4, 3, 2, 1, 0))]
    for limit in (1, 2, 3, 100):
        assert walk(connection, limit=limit) == newest
        assert walk(connection, limit=limit, order="oldest") == newest[::-1]


def test_a_cursor_stays_valid_while_runs_are_added(connection: Connection) -> None:
    """The next page neither repeats nor skips a run when newer runs appear."""
    create(connection, *(f"r{n}" for n in range(6)))
    first = execute(connection, reads.runs("default", limit=3))
    create(connection, "new-1", "new-2")
    second = execute(connection, reads.runs("default", limit=3, cursor=first.next))
    assert [run.id for run in (*first.items, *second.items)] == ["r5", "r4", "r3", "r2", "r1", "r0"]


def test_several_statuses_form_one_ordered_list(connection: Connection) -> None:
    """Runs of several statuses are merged in the order of their creation."""
    for n in range(4):
        create(connection, f"p{n}", status="pending")
        create(connection, f"r{n}")
        create(connection, f"x{n}")
        connection.execute(text("select postil.cancel_run('default', :id)"), {"id": f"x{n}"})
    assert walk(connection, "pending", "cancelled") == ["x3", "p3", "x2", "p2", "x1", "p1", "x0", "p0"]
    assert walk(connection, "failed") == []
    totals = execute(connection, reads.totals("default"))
    assert (totals["pending"], totals["running"], totals["cancelled"], totals["failed"]) == (4, 4, 4, 0)


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("100%", ["100% sure"]),
        ("_", ["a_b"]),
        ("A_B", ["a_b"]),
        ("\\", ["back\\slash"]),
        ("%", ["100% sure"]),
        ("zz", []),
    ],
)
def test_wildcards_are_searched_literally(connection: Connection, q: str, found: list[str]) -> None:
    """The characters % _ and \\ match themselves only."""
    create(connection, "100% sure", "a_b", "back\\slash", "axb")
    assert walk(connection, q=q) == found


def test_text_is_searched_in_names_too(connection: Connection) -> None:
    """A filter's text may be part of the run's name."""
    create(connection, "r1", name="Refund request")
    create(connection, "r2", name="other")
    assert walk(connection, q="fund re") == ["r1"]


def test_another_tenants_runs_are_invisible(connection: Connection) -> None:
    """Every read returns None for a run of another tenant."""
    connection.execute(text("select postil.create_tenant('acme')"))
    create(connection, "theirs", tenant="acme")
    assert walk(connection) == []
    assert execute(connection, run_reads.run("default", "theirs")) is None
    assert execute(connection, run_reads.events("default", "theirs")) is None
    assert execute(connection, run_reads.envelope("default", "theirs", 1)) is None
    assert execute(connection, run_reads.run("acme", "theirs")) is not None


def test_a_run_has_its_counts_and_exact_values(connection: Connection) -> None:
    """Stored numbers keep all their digits."""
    number = "12345678901234567890.10"
    connection.execute(
        text(
            "select postil.create_run('default', 'r', input => cast(:input as jsonb), actor => cast(:actor as jsonb))"
        ),
        {"input": f'{{"n": {number}}}', "actor": '{"kind": "user", "id": "ada"}'},
    )
    connection.execute(text("select postil.start_stage('default', 'r', 'one', 'one')"))
    connection.execute(text("select postil.ask('default', 'r', 'Proceed?', 'q')"))
    run = execute(connection, run_reads.run("default", "r"))
    assert run is not None
    assert run.input is not None
    assert run.input.text == f'{{"n": {number}}}'
    assert (run.stages, run.interactions, run.pending, run.status) == (1, 1, 1, "waiting_for_interaction")
    assert run.actor is not None
    assert (run.actor.kind, run.actor.id) == ("user", "ada")


def everything(connection: Connection, question: Any, **more: Any) -> tuple[list[Any], int]:
    items: list[Any] = []
    cursor = None
    while True:
        page: RunPage[Any] | None = execute(
            connection, question("default", "r", limit=2, cursor=cursor, **more)
        )
        assert page is not None
        items += page.items
        cursor = page.next
        if cursor is None:
            return items, page.head


def test_the_parts_of_a_run_are_paged_with_its_head(connection: Connection, postil: Postil) -> None:
    """Each page has the run's head from the same snapshot."""
    create(connection, "r")
    for n in range(5):
        connection.execute(text(f"select postil.start_stage('default', 'r', 'stage {n}', 's{n}')"))
        connection.execute(text(f"select postil.record_tool_call('default', 'r', 'tool', 't{n}')"))
        postil.annotate("r", {f"x.k{n}": n}, actor=agent("a"))
    stages, head = everything(connection, run_reads.stages)
    assert [stage.id for stage in stages] == ["s0", "s1", "s2", "s3", "s4"]
    assert [call.id for call in everything(connection, run_reads.tool_calls)[0]] == [
        "t0",
        "t1",
        "t2",
        "t3",
        "t4",
    ]
    assert [note.key for note in everything(connection, run_reads.annotations)[0]] == [
        f"x.k{n}" for n in range(5)
    ]
    numbers = [event.run_seq for event in everything(connection, run_reads.events)[0]]
    assert numbers == list(range(1, head + 1))
    assert [
        event.run_seq for event in everything(connection, run_reads.events, order="newest")[0]
    ] == numbers[::-1]


def test_an_empty_page_still_has_the_head(connection: Connection) -> None:
    """A run without stages has an empty page with its head; a missing run has None."""
    create(connection, "r")
    assert everything(connection, run_reads.stages) == ([], 1)
    assert execute(connection, run_reads.stages("default", "none")) is None


def test_annotations_are_selected_by_prefix(connection: Connection, postil: Postil) -> None:
    """A prefix matches literally, and several prefixes are a union."""
    create(connection, "r")
    postil.annotate(
        "r", Decision(outcome="yes", rationale="because"), {"decisionx.a": 1, "x.b": 2, "x_b.c": 3}
    )

    def keys(*prefixes: str) -> set[str]:
        return {note.key for note in everything(connection, run_reads.annotations, prefixes=prefixes)[0]}

    assert keys("decision.") == {"decision.outcome", "decision.rationale"}
    assert keys("x_") == {"x_b.c"}
    assert keys("decision.", "x.") == {"decision.outcome", "decision.rationale", "x.b"}


def test_the_envelope_is_the_one_kafka_carries(connection: Connection) -> None:
    """The text of an event is that of `postil.envelope`; other numbers give None."""
    create(connection, "r")
    expected = connection.execute(text("select postil.envelope(e) from postil.event e")).scalar_one()
    assert execute(connection, run_reads.envelope("default", "r", 1)) == expected
    for number in (0, 2, -1, 2**63):
        assert execute(connection, run_reads.envelope("default", "r", number)) is None


def test_waiting_interactions_come_oldest_first(connection: Connection) -> None:
    """Pending interactions are listed by age, each with its run."""
    for n in range(5):
        create(connection, f"r{n}", name=f"run {n}")
        connection.execute(text(f"select postil.ask('default', 'r{n}', 'Proceed?', 'q')"))
    connection.execute(
        text("""select postil.resolve_interaction('default', 'r2', 'q', '{"outcome": "accept"}')""")
    )
    found: list[tuple[str, str]] = []
    cursor = None
    while True:
        page = execute(connection, reads.waiting("default", limit=2, cursor=cursor))
        found += [(one.run_id, one.run_name) for one in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert found == [("r0", "run 0"), ("r1", "run 1"), ("r3", "run 3"), ("r4", "run 4")]


def test_the_pipeline_counts_unpublished_events(connection: Connection) -> None:
    """Events that no relay has published are counted, with the age of the oldest."""
    assert execute(connection, pipeline()).unpublished == 0
    create(connection, "r1", "r2")
    state = execute(connection, pipeline())
    assert (state.events, state.events_exact, state.unpublished, state.lanes_leased) == (2, True, 2, 0)
    assert state.oldest_seconds is not None
    assert state.oldest_seconds >= 0


@pytest.mark.parametrize("ask", [reads.runs, reads.waiting])
def test_a_cursor_of_another_list_is_refused(ask: Any) -> None:
    """The error names the cursor."""
    with pytest.raises(InvalidQuery, match="cursor"):
        ask("default", cursor="WzFd")


def test_the_list_of_runs_walks_an_index(connection: Connection) -> None:
    """Whatever the filter, no plan sorts or scans the table of runs, which may hold a million of them."""
    for wanted in (
        RunFilter(),
        RunFilter.parse(statuses=["failed"]),
        RunFilter.parse(statuses=["failed", "running"]),
    ):
        read = reads.runs("default", wanted, cursor=_cursor(connection))
        plan = _plan(connection, read)
        assert "Seq Scan on run" not in plan
        assert "run_by_" in plan


def _cursor(connection: Connection) -> str:
    create(connection, *(f"c{n}" for n in range(3)))
    cursor = execute(connection, reads.runs("default", limit=1)).next
    assert cursor is not None
    return cursor


def _plan(connection: Connection, read: Statement[Any]) -> str:
    connection.exec_driver_sql(
        "set enable_seqscan = off"
    )  # the table is tiny: ask what is possible, not what is cheap
    rows = connection.execute(text(f"explain {read.sql}"), read.parameters)
    return "\n".join(row[0] for row in rows)


def test_a_database_without_the_schema_is_refused(empty_database_url: str) -> None:
    """The error advises to run `postil migrate`."""
    engine = create_engine(sqlalchemy_url(empty_database_url))
    with engine.connect() as connection, pytest.raises(SchemaOutdated, match="postil migrate"):
        execute(connection, reads.runs("default"))
    engine.dispose()
