"""The envelope: the database writes it, we and the CloudEvents SDK read it, and whatever a user put in comes out again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event
from cloudevents.core.formats.json import JSONFormat
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.types.json import Jsonb

from postil.model.envelope import Event, InvalidEnvelope, parse, source

# What Postgres can store at all: no NUL, no lone surrogates.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60)
# Beyond 1e15 a float's shortest decimal form is an integer, and read back as that integer, which is another number.
numbers = st.integers(-(10**30), 10**30) | st.floats(-1e15, 1e15)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 (bounds are naive)
events = st.builds(
    Event,
    id=st.uuids().map(str),
    type=texts,
    subject=texts,
    time=times,
    recordedtime=times,
    tenant=texts,
    run_id=texts,
    run_seq=st.integers(1, 2**63 - 1),
    attempt=st.integers(1, 2**31 - 1),
    root_run=texts,
    causation_id=st.none() | texts,
    traceparent=st.none() | texts,
    data=st.dictionaries(texts, values, max_size=5),
)

ROW = """
select postil.envelope(row(1, '3', 0, %(tenant)s, %(run_id)s, %(run_seq)s, %(id)s, %(type)s, %(subject)s, %(attempt)s,
                           %(root_run)s, %(causation_id)s, %(traceparent)s, %(time)s, %(recordedtime)s, %(data)s)::postil.event)
"""


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("set timezone = 'Asia/Kathmandu'")
        connection.execute("set datestyle = 'SQL, DMY'")
        connection.execute("set intervalstyle = 'sql_standard'")
        yield connection


def envelope(connection: Connection[Any], event: Event) -> bytes:
    fields = {name: getattr(event, name) for name in Event.__dataclass_fields__}
    row = connection.execute(ROW, fields | {"id": UUID(event.id), "data": Jsonb(event.data)}).fetchone()
    assert row is not None
    return row[0].encode()


PLAIN = Event(
    id="0198c0de-0000-7000-8000-000000000001",
    type="annotation:created",
    subject="annotations/0198c0de-0000-7000-8000-000000000002",
    time=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
    recordedtime=datetime(2026, 1, 2, 3, 4, 6, 0, UTC),
    tenant="default",
    run_id="run-42",
    run_seq=17,
    attempt=1,
    root_run="root",
    causation_id=None,
    traceparent=None,
    data={"key": "decision.outcome", "value": None},
)


def test_an_envelope_has_exactly_these_bytes(connection: Connection[Any]) -> None:
    """The bytes of an envelope are stable: their order and form never change."""
    assert envelope(connection, PLAIN) == (
        b'{"specversion":"1.0","id":"0198c0de-0000-7000-8000-000000000001","source":"/default/runs/run-42",'
        b'"type":"annotation:created","subject":"annotations/0198c0de-0000-7000-8000-000000000002",'
        b'"time":"2026-01-02T03:04:05.678901Z","recordedtime":"2026-01-02T03:04:06.000000Z",'
        b'"datacontenttype":"application/json","tenant":"default","runid":"run-42","runseq":17,"attempt":1,'
        b'"rootrun":"root","data":{"key": "decision.outcome", "value": null}}'
    )


def test_cause_and_trace_come_before_the_data(connection: Connection[Any]) -> None:
    """The causation id and the traceparent come directly before the data."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    caused = envelope(connection, replace(PLAIN, causation_id="c", traceparent=trace))
    assert f'"rootrun":"root","causationid":"c","traceparent":"{trace}","data":'.encode() in caused


@given(event=events)
@hypothesis_settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_an_envelope_returns_what_was_put_in(connection: Connection[Any], event: Event) -> None:
    """Postil and the CloudEvents SDK read every value that Postgres can store unchanged."""
    value = envelope(connection, event)
    assert parse(value) == event
    assert b"\n" not in value
    # An independent reader agrees on the attributes.
    oracle = from_structured_event(
        KafkaMessage(headers={"content-type": b"application/cloudevents+json"}, key=b"k", value=value),
        JSONFormat(),
    )
    assert oracle.get_id() == event.id
    assert oracle.get_source() == source(event.tenant, event.run_id)
    assert oracle.get_type() == event.type
    assert oracle.get_subject() == event.subject
    assert oracle.get_time() == event.time
    assert oracle.get_extension("runid") == event.run_id
    assert oracle.get_extension("runseq") == event.run_seq
    assert oracle.get_data() == event.data


@given(text=texts)
@hypothesis_settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_percent_encoding_is_that_of_rfc_3986(connection: Connection[Any], text: str) -> None:
    """The source encodes all bytes but the unreserved characters of RFC 3986."""
    row = connection.execute(
        "select '/' || postil.percent_encode(%s) || '/runs/' || postil.percent_encode(%s)", [text, text]
    )
    assert row.fetchone() == (source(text, text),)


def test_numbers_beyond_pythons_digit_limit_are_read() -> None:
    """A number with more digits than Python converts by default is read."""
    good = {
        "specversion": "1.0", "id": "i", "source": "/t/runs/r", "type": "x", "subject": "s", "tenant": "t", "runid": "r",
        "time": "2026-01-02T03:04:05.678901Z", "recordedtime": "2026-01-02T03:04:05.678901Z", "runseq": 1, "attempt": 1,
        "rootrun": "r",
    }  # fmt: skip
    value = (json.dumps(good)[:-1] + ', "data": {"n": ' + "9" * 5000 + "}}").encode()
    assert str(parse(value).data["n"]) == "9" * 5000


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "Expecting value at character 0"),
        (b"\xff", "byte 0 is not UTF-8"),
        (b"[]", "it is not a JSON object"),
        (b"[" * 200_000, "nested too deeply"),
        (b"{}", "specversion is None, not '1.0'"),
        (b'{"specversion":"1.0","tenant":"","runid":"r"}', "tenant is missing or not a text"),
        (
            b'{"specversion":"1.0","tenant":"t","runid":"a/b","source":"/t/runs/a/b"}',
            "is not that of tenant 't', run 'a/b'",
        ),
        (
            b'{"specversion":"1.0","tenant":"t","runid":"r","source":"/t/runs/r","data":[]}',
            "data is not an object",
        ),
    ],
)
def test_a_malformed_envelope_is_refused_with_the_reason(value: bytes, why: str) -> None:
    """A value that is not an event raises `InvalidEnvelope` with the exact reason."""
    with pytest.raises(InvalidEnvelope, match="give Postil a separate topic") as refused:
        parse(value)
    assert why in refused.value.what


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("runseq", "0"),
        ("runseq", "true"),
        ("attempt", '"1"'),
        ("time", '"yesterday"'),
        ("time", '"2026-01-01"'),
    ],
)
def test_a_malformed_attribute_is_named(name: str, wrong: str) -> None:
    """The error names the attribute that is missing or malformed."""
    good: dict[str, Any] = {
        "specversion": "1.0", "id": "i", "source": "/t/runs/r", "type": "x", "subject": "s", "tenant": "t", "runid": "r",
        "time": "2026-01-02T03:04:05Z", "recordedtime": "2026-01-02T03:04:05Z", "runseq": 1, "attempt": 1, "rootrun": "r",
        "data": {},
    }  # fmt: skip
    parse(json.dumps(good).encode())
    with pytest.raises(InvalidEnvelope, match=name):
        parse(json.dumps(good | {name: json.loads(wrong)}).encode())
