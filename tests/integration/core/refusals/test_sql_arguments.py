"""The SQL functions check their arguments themselves, for callers of any language: SQLSTATE, and the path in DETAIL."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

FUNCTIONS = """
select p.proname, pg_get_function_arguments(p.oid) from pg_proc p
 where p.pronamespace = 'postil'::regnamespace and p.proname not like E'\\\\_%%' and p.prorettype <> 'trigger'::regtype
   and p.proname not in ('uuidv7', 'envelope') and p.proname not like 'relay%%' order by 1
"""


def test_null_for_any_argument_never_fails_untyped(write_url: str, record: Any, busy_run: str) -> None:
    """Null for one argument of a function is accepted or gives an error of class PS, if the others are valid."""
    valid_values = {
        "tenant": "default", "run_id": busy_run, "name": "n", "stage_id": "x", "tool_call_id": "x",
        "interaction_id": "x", "prompt": "?", "annotations": Jsonb([{"key": "a", "value": 1}]), "batch": Jsonb([]),
        "histories": Jsonb([]), "answer": Jsonb(1), "kind": "question", "ahead": 1,
    }  # fmt: skip
    calls = 0
    with psycopg.connect(write_url) as connection:
        for name, signature in record.sql(FUNCTIONS):
            declarations = [part.split(" DEFAULT ")[0].split(maxsplit=1) for part in signature.split(", ")]
            types = dict(declarations)
            for parameter in types:
                values: dict[str, Any] = {p: value for p, value in valid_values.items() if p in types}
                values[parameter] = None
                arguments = ", ".join(f"{p} => %({p})s::{types[p]}" for p in values)
                try:
                    connection.execute(f"select * from postil.{name}({arguments})", values)
                except psycopg.Error as error:
                    assert str(error.sqlstate).startswith("PS"), f"{name}, {parameter} null: {error}"  # noqa: PT017 (success is fine too)
                connection.rollback()
                calls += 1
    assert calls > 100


def item(more: str) -> str:
    """Return a JSON array with one annotation that has more members."""
    return f'[{{"key": "a", "value": 1{more}}}]'


ANNOTATIONS = [
    ("null", "null", "PS005", "annotations"),
    ("an object", "{}", "PS005", "annotations"),
    ("a text", '"x"', "PS005", "annotations"),
    ("null as an item", "[null]", "PS005", "annotations[0]"),
    ("a number as an item", "[5]", "PS005", "annotations[0]"),
    ("no key", "[{}]", "PS005", "annotations[0].key"),
    ("a number for a key", '[{"key": 5, "value": 1}]', "PS005", "annotations[0].key"),
    ("an empty key", '[{"key": "", "value": 1}]', "PS005", "annotations[0].key"),
    ("a long key", '[{"key": "%s", "value": 1}]' % ("x" * 3000), "PS005", "annotations[0].key"),
    ("a key in capitals", '[{"key": "Upper", "value": 1}]', "PS005", "annotations[0].key"),
    ("a bar in a key", '[{"key": "a|b", "value": 1}]', "PS005", "annotations[0].key"),
    ("no value", '[{"key": "a"}]', "PS005", "annotations[0].value"),
    ("an unknown member", '[{"key": "a", "value": 1}, {"key": "a", "value": 1, "colour": 1}]', "PS005", "annotations[1].colour"),
    ("a bar in a member", item(', "a|b": 1'), "PS005", "annotations[0].a|b"),
    ("a number for an actor", item(', "actor": 5'), "PS017", "annotations[0].actor"),
    ("an actor without kind", item(', "actor": {"id": "x"}'), "PS017", "annotations[0].actor.kind"),
    ("a number for an actor's id", item(', "actor": {"kind": "user", "id": 5}'), "PS017", "annotations[0].actor.id"),
    ("an unknown member of an actor", item(', "actor": {"kind": "user", "mail": "x"}'), "PS017", "annotations[0].actor.mail"),
    ("a number for a scope", item(', "scope": 5'), "PS005", "annotations[0].scope"),
    ("a fraction for an attempt", item(', "attempt": 1.5'), "PS005", "annotations[0].attempt"),
    ("a large attempt", item(', "attempt": 99999999999999999999'), "PS005", "annotations[0].attempt"),
    ("an attempt that has not begun", item(', "attempt": 2'), "PS005", "annotations[0].attempt"),
    ("a text for a group", item(', "group": "x"'), "PS005", "annotations[0].group"),
    ("an unknown stage", item(', "stage_id": "unknown"'), "PS009", "annotations[0].stage_id"),
    ("a time in words", item(', "recorded_at": "yesterday"'), "PS017", "annotations[0].recorded_at"),
    ("a time without zone", item(', "recorded_at": "2020-01-01T00:00:00"'), "PS017", "annotations[0].recorded_at"),
    ("a zone that does not exist", item(', "recorded_at": "2020-01-01T00:00:00+99"'), "PS017", "annotations[0].recorded_at"),
    ("an infinite time", item(', "recorded_at": "infinity"'), "PS017", "annotations[0].recorded_at"),
    ("the year 0", item(', "recorded_at": "0000-01-01T00:00:00Z"'), "PS017", "annotations[0].recorded_at"),
    ("the month 13", item(', "recorded_at": "2020-13-01T00:00:00Z"'), "PS017", "annotations[0].recorded_at"),
    ("a number beyond a double", '[{"key": "a", "value": 1e400}]', "PS005", "annotations[0].value"),
    ("a nested number beyond a double", '[{"key": "a", "value": [-1e2000]}]', "PS005", "annotations[0].value"),
    ("a payload beyond a double", item(', "payload": 1e100000'), "PS005", "annotations[0].payload"),
    ("a value of 100,000 digits", '[{"key": "a", "value": 1e100000}]', "PS006", "annotations[0].value"),
    ("a value of 24,000 characters", '[{"key": "a", "value": "%s"}]' % ("\\u0001" * 4000), "PS006", "annotations[0].value"),
    ("65 lists", '[{"key": "a", "value": %s}]' % ("[" * 65 + "]" * 65), "PS005", "annotations[0].value"),
    ("3,000 lists", '[{"key": "a", "value": %s}]' % ("[" * 3000 + "]" * 3000), "PS005", "annotations[0].value"),
    ("65 objects as a payload", item(', "payload": ' + '{"a":' * 65 + "1" + "}" * 65), "PS005", "annotations[0].payload"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("annotations", "sqlstate", "path"), [row[1:] for row in ANNOTATIONS], ids=[row[0] for row in ANNOTATIONS]
)
def test_malformed_annotations_are_refused_by_their_path(
    write_url: str, record: Any, run: str, annotations: str, sqlstate: str, path: str
) -> None:
    """`postil.annotate` refuses malformed annotations with the SQLSTATE of the fault and the path to it."""
    before = record.traces()
    with psycopg.connect(write_url) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute("select * from postil.annotate('default', %s, %s)", [run, annotations])
    assert (caught.value.sqlstate, caught.value.diag.message_detail) == (sqlstate, path)
    assert record.traces() == before


@pytest.mark.parametrize(
    "call",
    [
        'annotate(\'default\', %(run)s, \'[{"key": "a", "value": 1}]\', recorded_at => %(at)s::timestamptz)',
        "start_stage('default', %(run)s, 's', recorded_at => %(at)s::timestamptz)",
        "finish_run('default', %(run)s, recorded_at => %(at)s::timestamptz)",
        "record_tool_call('default', %(run)s, 't', recorded_at => %(at)s::timestamptz)",
    ],
    ids=lambda call: call.partition("(")[0],
)
@pytest.mark.parametrize(
    "time", ["infinity", "-infinity", "4713-01-01 00:00:00 BC", "10000-01-01 00:00:00Z", "294276-12-31Z"]
)
def test_times_that_rfc_3339_cannot_express_are_refused(
    write_url: str, record: Any, run: str, time: str, call: str
) -> None:
    """A time that Postgres can store and RFC 3339 cannot express is refused by the field `recorded_at`."""
    before = record.traces()
    with psycopg.connect(write_url, autocommit=True) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(f"select * from postil.{call}", {"run": run, "at": time})
    assert (caught.value.sqlstate, caught.value.diag.message_detail) == ("PS017", "recorded_at")
    assert record.traces() == before


BATCHES = [
    ("not a list", "{}", "batch"),
    ("a number", "[5]", "batch[0]"),
    ("no run id", "[{}]", "batch[0].run_id"),
    ("a number for a run id", '[{"run_id": 5, "annotations": []}]', "batch[0].run_id"),
    ("no annotations", '[{"run_id": "r"}]', "batch[0].annotations"),
    ("a text for live", '[{"run_id": "r", "annotations": [], "live": "yes"}]', "batch[0].live"),
    ("an unknown member", '[{"run_id": "r", "annotations": [], "colour": 1}]', "batch[0].colour"),
    ("a number for a stage", '[{"run_id": "r", "annotations": [], "stage_id": 5}]', "batch[0].stage_id"),
    ("a number for an actor", '[{"run_id": "r", "annotations": [], "actor": 5}]', "batch[0].actor"),
    (
        "an annotation without key",
        '[{"run_id": "r", "annotations": []}, {"run_id": "r", "annotations": [{}]}]',
        "batch[1].annotations[0].key",
    ),
]


@pytest.mark.parametrize(("batch", "path"), [row[1:] for row in BATCHES], ids=[row[0] for row in BATCHES])
def test_a_malformed_batch_is_refused_by_its_path(write_url: str, batch: str, path: str) -> None:
    """`postil.annotate_many` refuses a malformed batch with an error of class PS and the path to the fault."""
    with psycopg.connect(write_url) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute("select * from postil.annotate_many('default', %s)", [batch])
    assert (str(caught.value.sqlstate)[:2], caught.value.diag.message_detail) == ("PS", path)


AGAINST_RUNS = [
    ("an unknown stage", {"stage_id": "unknown"}, "PS009", "stage_id"),
    ("an attempt that has not begun", {"attempt": 9}, "PS005", "attempt"),
    ("an actor without a kind", {"actor": {"id": "ada"}}, "PS017", "actor.kind"),
    ("a malformed time", {"recorded_at": "yesterday"}, "PS017", "recorded_at"),
    ("another value under one key", {"idempotency_key": "once"}, "PS004", ""),
]


@pytest.mark.parametrize(
    ("fields", "sqlstate", "path"), [row[1:] for row in AGAINST_RUNS], ids=[row[0] for row in AGAINST_RUNS]
)
def test_an_entry_that_does_not_fit_its_run_is_named(
    write_url: str, record: Any, run: str, fields: dict[str, object], sqlstate: str, path: str
) -> None:
    """The path of a fault that only the run reveals begins with the entry of the batch."""
    before = record.traces()
    fitting = {"key": "a", "value": 1} | ({"idempotency_key": "once"} if sqlstate == "PS004" else {})
    batch = [
        {"run_id": run, "annotations": [fitting]},
        {"run_id": run, "annotations": [{"key": "b", "value": 1}, {"key": "a", "value": 2} | fields]},
    ]
    with psycopg.connect(write_url) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute("select * from postil.annotate_many('default', %s)", [json.dumps(batch)])
    place = ".".join(part for part in ("batch[1].annotations[1]", path) if part)
    assert (caught.value.sqlstate, caught.value.diag.message_detail) == (sqlstate, place)
    assert record.traces() == before


@pytest.mark.parametrize("tenant", ["", "Upper", "a/b", "-a", "x" * 64, "a\n"], ids=ascii)
def test_a_malformed_tenant_name_is_refused(write_url: str, tenant: str) -> None:
    """`postil.create_tenant` refuses a name that is not 1 to 63 lower-case letters, digits, dots, dashes and underscores."""
    with psycopg.connect(write_url) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute("select postil.create_tenant(%s)", [tenant])
    assert (caught.value.sqlstate, caught.value.diag.message_detail) == ("PS017", "tenant")
