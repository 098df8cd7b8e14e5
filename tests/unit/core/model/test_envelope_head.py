"""Reading the head of an envelope: which bytes are an event, and why others are refused."""

from __future__ import annotations

import pytest

from postil.model.envelope import InvalidEnvelope, raw_event
from postil_consumers.testing import event_value

EVENT = event_value("r", 1)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "not a CloudEvents 1.0 envelope"),
        (b"\x00\xff", "not a CloudEvents 1.0 envelope"),
        (b'{"deadletter":{}}', "not a CloudEvents 1.0 envelope"),
        (EVENT[:-5], "not one whole line"),
        (EVENT.replace(b"{", b"{\n", 1).replace(b"\n", b"", 1) + b"\n", "not one whole line"),
        (EVENT.replace(b'"data":{', b'"data":{\n'), "not one whole line"),
        (b'{"specversion":"1.0",}', "not JSON"),
        (b'{"specversion":"1.0","id":"x"}', "id, tenant or runid is missing"),
        (EVENT.replace(b'"default"', b'"de/fault"'), "tenant or runid is malformed"),
        (EVENT.replace(b'"default"', b'""'), "tenant or runid is malformed"),
        (EVENT.replace(b'"runseq":1', b'"runseq":0'), "runseq is not a number from 1"),
        (EVENT.replace(b'"runseq":1', b'"runseq":"1"'), "runseq is not a number from 1"),
        (EVENT.replace(b'"runseq":1', b'"runseq":true'), "runseq is not a number from 1"),
    ],
)
def test_bytes_that_are_not_an_event_are_refused(value: bytes, why: str) -> None:
    """The error states what is wrong with the bytes."""
    with pytest.raises(InvalidEnvelope) as refused:
        raw_event(value)

    assert why in refused.value.what


def test_a_key_of_another_run_is_refused() -> None:
    """An event under the key of another run is not accepted for either run."""
    with pytest.raises(InvalidEnvelope, match="the key is b'default/other'"):
        raw_event(EVENT, b"default/other")


def test_attributes_may_come_in_another_order() -> None:
    """An envelope of another version, with other order, is the same event."""
    other = EVENT.replace(b'"runseq":1,', b"").replace(b',"data"', b',"runseq":1,"data"')

    assert raw_event(EVENT)[:3] == raw_event(other)[:3]


def test_text_inside_a_string_is_not_an_attribute() -> None:
    """A run id that contains the text of attributes does not change the event's identity."""
    run = '","runid":"evil","runseq":9,"x":"'

    assert raw_event(event_value(run, 4)).run == f"default/{run}"


@pytest.mark.parametrize("number", ["1e400", "9" * 500, "[" * 3000 + "]" * 3000])
def test_data_that_parsers_refuse_is_still_an_event(number: str) -> None:
    """Numbers and depths that Postgres holds must not block a run."""
    value = EVENT.replace(b'"data":{', b'"data":{"n":' + number.encode() + b",", 1)
    assert raw_event(value).run_seq == 1
