"""What counts as an event: bytes that are none are told from those that are, and say why."""

from __future__ import annotations

import pytest

from postil.model.envelope import InvalidEnvelope, identify
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
def test_bytes_that_are_no_event_say_why(value: bytes, why: str) -> None:
    with pytest.raises(InvalidEnvelope) as refused:
        identify(value)

    assert why in refused.value.what


def test_a_key_of_another_run_is_no_event_of_this_one() -> None:
    with pytest.raises(InvalidEnvelope, match="the key is b'default/other'"):
        identify(EVENT, b"default/other")


def test_attributes_in_another_order_name_the_same_event() -> None:
    other = EVENT.replace(b'"runseq":1,', b"").replace(b',"data"', b',"runseq":1,"data"')

    assert identify(EVENT)[:3] == identify(other)[:3]


def test_what_looks_like_an_attribute_inside_a_text_is_none() -> None:
    run = '","runid":"evil","runseq":9,"x":"'

    assert f"default/{run}" == identify(event_value(run, 4)).run


@pytest.mark.parametrize("number", ["1e400", "9" * 500, "[" * 3000 + "]" * 3000])
def test_json_that_parsers_refuse_but_postgres_holds_is_still_an_event(number: str) -> None:
    assert 1 == identify(EVENT.replace(b'"data":{', b'"data":{"n":' + number.encode() + b",", 1)).run_seq
