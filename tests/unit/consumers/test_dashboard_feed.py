"""The feed's memory: whoever follows it gets every event once and in order, or is told what was missed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from hypothesis import given, settings
from hypothesis import strategies as st

from postil_consumers.dashboard.feed.frame import WHOLE, Repeats, frame
from postil_consumers.dashboard.feed.hub import Hub
from postil_consumers.dashboard.feed.ring import Ring

steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 8)),
        st.tuples(st.just("read"), st.integers(1, 5)),
        st.tuples(st.just("reconnect"), st.just(0)),
    ),
    max_size=60,
)


def payload_of(one: bytes) -> int:
    return int(one.partition(b"data: ")[2].strip())


def id_of(one: bytes) -> str:
    return one.partition(b"\n")[0].removeprefix(b"id: ").decode()


@given(steps, st.integers(1, 20))
def test_a_reader_gets_each_event_once_in_order_or_is_told_how_many_it_missed(
    plan: list[tuple[str, int]], capacity: int
) -> None:
    """Whatever the order of publishing, reading and reconnecting, and however small the ring."""
    ring = Ring("e", most_frames=capacity)
    published, got, missed, at = 0, [], 0, 0
    last_id = ring.id_of(0)
    for step, amount in [*plan, ("read", 10_000)]:
        if step == "publish":
            for _ in range(amount):
                published += 1
                ring.publish(str(published).encode())
        elif step == "read":
            batch = ring.after(at, most_frames=amount)
            missed += batch.missed
            got += [payload_of(one) for one in batch.frames]
            at = batch.last
            last_id = (
                id_of(batch.frames[-1]) if batch.frames else last_id if not batch.missed else ring.id_of(at)
            )
        else:
            resumed = ring.number_of(last_id)
            if resumed is None:  # a reset: what lies before is missed, and the reader is told so
                missed += ring.last - at
                at, last_id = ring.last, ring.id_of(ring.last)
            else:
                assert resumed == at
    assert got == sorted(set(got))
    assert len(got) + missed == published
    assert at == ring.last


@given(st.lists(st.binary(min_size=1, max_size=300).map(bytes.hex), max_size=50), st.integers(100, 2_000))
def test_the_ring_stays_within_its_bytes(payloads: list[str], most: int) -> None:
    ring = Ring("e", most_bytes=most)
    for payload in payloads:
        ring.publish(payload.encode())
    assert ring.bytes <= most or ring.last - ring.first == 0


@given(st.text(max_size=30))
def test_an_id_that_was_not_given_out_is_no_place_to_resume_from(text: str) -> None:
    ring = Ring("epoch", most_frames=2)
    for n in range(5):
        ring.publish(str(n).encode())
    known = {ring.id_of(number) for number in (3, 4, 5)}
    assert (ring.number_of(text) is not None) == (text in known)
    assert ring.number_of("other-5") is None
    assert ring.number_of("epoch-6") is None


async def take(stream: AsyncIterator[bytes]) -> str:
    async with asyncio.timeout(10):
        return (await anext(stream)).decode()


async def test_a_new_reader_begins_with_hello_and_what_comes_after_it() -> None:
    hub = Hub()
    hub.publish([b"1"])
    stream = hub.stream(None)
    assert "event: hello" in await take(stream)
    hub.publish([b"2", b"3"])
    assert [line for line in (await take(stream)).splitlines() if line.startswith("data")] == [
        "data: 2",
        "data: 3",
    ]


async def test_a_reader_resumes_after_the_last_event_it_has() -> None:
    hub = Hub()
    hub.publish([b"1", b"2", b"3"])
    stream = hub.stream(hub.ring.id_of(1))
    assert "event: hello" in await take(stream)
    assert (await take(stream)).count("data: ") == 2


async def test_a_reader_of_another_epoch_is_reset() -> None:
    hub = Hub()
    assert "event: reset" in await take(hub.stream("before-7"))


async def test_every_reader_is_reset_when_the_feed_lost_its_place() -> None:
    hub = Hub()
    stream = hub.stream(None)
    await take(stream)
    hub.restart()
    assert "event: reset" in await take(stream)


async def test_a_reader_that_is_too_slow_is_told_how_many_events_it_missed() -> None:
    hub = Hub(most_frames=3)
    stream = hub.stream(None)
    await take(stream)
    hub.publish([str(n).encode() for n in range(10)])
    lag = await take(stream)
    assert "event: lag" in lag
    assert '"missed":10' in lag
    hub.publish([b"next"])
    assert "data: next" in await take(stream)


async def test_silence_is_filled_with_a_sign_of_life() -> None:
    stream = Hub(heartbeat=0.01).stream(None)
    await take(stream)
    assert "event: alive" in await take(stream)


async def test_closing_ends_every_stream_after_what_it_still_has_to_send() -> None:
    hub = Hub()
    stream = hub.stream(None)
    await take(stream)
    hub.publish([b"last"])
    hub.close()
    assert "data: last" in await take(stream)
    assert [part async for part in stream] == []
    assert hub.readers == 0


def envelope(**changes: object) -> dict[str, object]:
    return {
        "id": "e",
        "type": "run:created",
        "tenant": "default",
        "runid": "r",
        "runseq": 1,
        "data": {"id": "r"},
    } | changes


def test_an_event_passes_byte_for_byte() -> None:
    value = b'{"tenant":"default","runid":"r","runseq":7,"data":{"value":12345678901234567890.10}}'
    kept = frame(value)
    assert kept is not None
    assert (kept.payload, kept.run_id, kept.run_seq) == (value, "r", 7)


def test_a_large_event_says_which_of_its_fields_were_left_out() -> None:
    large = envelope(data={"key": "k", "value": "x" * WHOLE, "payload": None})
    kept = frame(json.dumps(large).encode())
    assert kept is not None
    sent = json.loads(kept.payload)
    assert sent["trimmed"] == ["value"]
    assert sent["data"] == {"key": "k", "value": None, "payload": None}


@given(st.binary(max_size=200))
def test_what_is_no_event_of_ours_is_passed_over(value: bytes) -> None:
    assert frame(value) is None
    assert frame(b"\n" + value) is None


def test_a_line_break_between_tokens_cannot_end_an_event_early() -> None:
    kept = frame(json.dumps(envelope(), indent=2).encode())
    assert kept is not None
    assert b"\n" not in kept.payload


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 6)), max_size=40))
def test_what_a_relay_sends_twice_is_recognised(sent: list[tuple[str, int]]) -> None:
    repeats, last = Repeats(), dict[str, int]()
    for run, number in sent:
        one = frame(json.dumps(envelope(runid=run, runseq=number)).encode())
        assert one is not None
        assert repeats.is_one(one) == (number <= last.get(run, 0))
        last[run] = max(number, last.get(run, 0))
