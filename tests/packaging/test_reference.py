"""The reference pages agree with the code, and with what a real database holds."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import psycopg

from fixtures.writing import Record
from generate import PAGES
from pages.event_types import EVENT_TYPES
from pages.events import ENVELOPE, envelope
from pages.markdown import NOTE, with_note
from postil import Context, Postil, agent, commands, errors, user
from postil import __all__ as public_names
from postil.model.envelope import parse

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


def test_the_reference_pages_are_up_to_date() -> None:
    """Each generated reference page is equal to the output of `make docs`."""
    stale = [
        name for name, page in PAGES.items() if (REFERENCE / name).read_text("utf-8") != with_note(page())
    ]
    assert stale == [], "run `make docs`"


def test_the_note_marks_the_generated_pages() -> None:
    """The pages that the generator writes are those with its note, which warns that edits are lost."""
    noted = {file.name for file in REFERENCE.glob("*.md") if NOTE in file.read_text("utf-8")}
    assert noted == set(PAGES)


def test_each_public_name_has_an_entry() -> None:
    """The Python page has a heading for each name of `postil`, each command and each error."""
    headings = set(re.findall(r"^### (\S+)$", (REFERENCE / "python.md").read_text("utf-8"), re.MULTILINE))
    kinds = {
        name
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and kind.__module__ == errors.__name__
    }
    public = {*public_names, *commands.__all__, *kinds} - {"errors", "RunCommand"}
    assert public - headings == set()


def test_each_public_database_object_has_an_entry(database_url: str) -> None:
    """The SQL page has a heading for each public function, view, table and type of an installed schema."""
    query = """
    select proname from pg_proc
     where pronamespace = 'postil'::regnamespace and proname !~ '^_' and prorettype <> 'trigger'::regtype
    union select relname from pg_class
     where relnamespace = 'postil'::regnamespace and relkind in ('r', 'p', 'v') and not relispartition
    """
    with psycopg.connect(database_url) as connection:
        names = {str(name) for (name,) in connection.execute(query)}
    headings = set(
        re.findall(r"^### `postil\.(\w+)`$", (REFERENCE / "sql.md").read_text("utf-8"), re.MULTILINE)
    )
    internal = {"alembic_version", "percent_encode", "uuidv7"}
    assert headings == names - internal | {"receipt"}


def test_the_sql_page_has_the_database_signatures(database_url: str) -> None:
    """Each function of the SQL page has the parameters, types and defaults that the database reports."""
    page = (REFERENCE / "sql.md").read_text("utf-8")
    with psycopg.connect(database_url) as connection:
        for name, parameters in re.findall(
            r"^postil\.(\w+)\((.*?)\)\nreturns ", page, re.DOTALL | re.MULTILINE
        ):
            query = "select pg_get_function_arguments(oid) from pg_proc where proname = %s"
            ((stored,),) = connection.execute(query, [name]).fetchall()
            assert _plain(parameters) == _plain(stored), name


def _plain(parameters: str) -> str:
    """Return parameters in one spelling: without casts of defaults, line breaks and aliases of types."""
    plain = " ".join(
        re.sub(r"::(double precision|timestamp with time zone|\w+)", "", parameters).split()
    ).lower()
    return plain.replace("timestamp with time zone", "timestamptz").replace("postil.event", "event")


def test_the_event_page_describes_real_events(postil: Postil, record: Record) -> None:
    """Writes of every kind produce exactly the documented types, with the documented fields and JSON types."""
    runs = [_completed(postil), _failed(postil), _cancelled(postil)]
    types = {event.name: event for event in EVENT_TYPES}
    written: dict[str, list[dict[str, Any]]] = {}
    for run_id in runs:
        for type_, data in record.events(run_id):
            written.setdefault(type_, []).append(data)
    assert set(written) == set(types)
    for type_, events in written.items():
        for data in events:
            assert set(data) == {field.name for field in types[type_].fields}, type_
            for field in types[type_].fields:
                assert _has_type(data[field.name], field.type), f"{type_}: {field.name}"


def _completed(postil: Postil) -> str:
    run_id = f"reference-{id(postil)}-completed"
    postil.create_run(run_id, pending=True, input={"order": 7}, actor=agent("triage", version="2.1"))
    postil.start_run(run_id)
    postil.start_stage(run_id, "decide")
    postil.suspend_stage(run_id, "decide")
    postil.resume_stage(run_id, "decide", {"review.score": 4})
    call = postil.start_tool_call(run_id, "lookup", stage_id="decide", arguments={"order": 7})
    postil.finish_tool_call(run_id, call.id, result=1, duration_ms=12.5)
    postil.complete_stage(run_id, "decide", result="refund")
    question = postil.ask(run_id, "Refund 42 EUR?", to="finance")
    postil.resolve_interaction(run_id, question.id, {"outcome": "accept"}, actor=user("dana"))
    postil.finish_run(run_id, result={"refunded": 42})
    return run_id


def _failed(postil: Postil) -> str:
    run_id = f"reference-{id(postil)}-failed"
    postil.create_run(run_id)
    postil.record_tool_call(run_id, "lookup", failed=True, error={"type": "Timeout"})
    postil.start_stage(run_id, "decide")
    postil.fail_stage(run_id, "decide", error={"type": "Timeout"})
    postil.finish_run(run_id, failed=True, error={"type": "Timeout"})
    return run_id


def _cancelled(postil: Postil) -> str:
    run_id = f"reference-{id(postil)}-cancelled"
    postil.create_run(run_id)
    postil.start_stage(run_id, "decide")
    postil.ask(run_id, "Refund 42 EUR?")
    postil.cancel_run(run_id, reason="test")
    return run_id


def _has_type(value: object, type_: str) -> bool:
    """Return whether a value is of a documented type, such as `string or null`."""
    kinds: dict[str, tuple[type, ...]] = {
        "any JSON": (object,),
        "string": (str,),
        "integer": (int,),
        "number": (int, float),
        "object": (dict,),
        "time": (str,),
        "null": (type(None),),
    }
    return isinstance(value, tuple(kind for name in type_.split(" or ") for kind in kinds[name]))


def test_the_example_envelope_is_well_formed() -> None:
    """The example of an envelope has the form that Postil's own reader accepts."""
    for event in EVENT_TYPES:
        example = envelope(event)
        assert parse(json.dumps(example).encode()).type == event.name


def test_the_example_envelope_has_the_real_order(postil: Postil, record: Record) -> None:
    """The example of an envelope has the attributes of a real one, in the same order."""
    context = Context(traceparent=f"00-{'a' * 32}-{'b' * 16}-01", causation_id="order-7")
    postil.create_run(f"reference-{id(postil)}-envelope", context=context)
    query = "select postil.envelope(e) from postil.event e where run_id = %s"
    text = str(record.one(query, f"reference-{id(postil)}-envelope"))
    assert [name for name, _, _ in ENVELOPE] == list(json.loads(text))


def test_each_test_named_by_a_guarantee_exists() -> None:
    """Each test that docs/guarantees.md names exists in the named file."""
    names = re.findall(
        r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs" / "guarantees.md").read_text("utf-8")
    )
    assert len(names) > 30
    missing = [
        f"{file}::{test}"
        for file, test in names
        if not (ROOT / file).is_file() or (test and f"def {test}(" not in (ROOT / file).read_text("utf-8"))
    ]
    assert missing == []
