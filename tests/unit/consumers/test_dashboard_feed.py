"""The feed sends each reader every event once and in order, or the number of events that the reader missed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator

import pytest
from confluent_kafka import Consumer
from hypothesis import given, settings
from hypothesis import strategies as st

from postil_consumers.dashboard.feed import topic_tail
from postil_consumers.dashboard.feed.events import MAX_WHOLE, Deduplicator, to_feed_event
from postil_consumers.dashboard.feed.hub import Hub
from postil_consumers.dashboard.feed.ring import Ring
from postil_consumers.dashboard.feed.topic_tail import TopicTail

steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 8)),
        st.tuples(st.just("read"), st.integers(1, 5)),
        st.tuples(st.just("reconnect"), st.just(0)),
    ),
    max_size=60,
)


def payload_of(frame: bytes) -> int:
    """Return the number that a frame carries."""
    return int(frame.partition(b"data: ")[2].strip())


def id_of(frame: bytes) -> str:
    """Return the id of a frame."""
    return frame.partition(b"\n")[0].removeprefix(b"id: ").decode()


@given(steps, st.integers(1, 20))
def test_reader_gets_each_event_once_or_a_count_of_missed(plan: list[tuple[str, int]], capacity: int) -> None:
    """In any order of publishing, reading and reconnecting, received and missed events add up to the published ones."""
    ring = Ring("e", max_frames=capacity)
    published, received, missed, position = 0, [], 0, 0
    last_id = ring.id_of(0)
    for step, amount in [*plan, ("read", 10_000)]:
        if step == "publish":
            for _ in range(amount):
                published += 1
                ring.publish(str(published).encode())
        elif step == "read":
            batch = ring.after(position, max_frames=amount)
            missed += batch.missed
            received += [payload_of(frame) for frame in batch.frames]
            position = batch.last
            last_id = (
                id_of(batch.frames[-1])
                if batch.frames
                else last_id
                if not batch.missed
                else ring.id_of(position)
            )
        else:
            number = ring.number_of(last_id)
            if number is None:  # a reset, by which the reader knows that it missed events
                missed += ring.last - position
                position, last_id = ring.last, ring.id_of(ring.last)
            else:
                assert number == position
    assert received == sorted(set(received))
    assert len(received) + missed == published
    assert position == ring.last


@given(st.lists(st.binary(min_size=1, max_size=300).map(bytes.hex), max_size=50), st.integers(100, 2_000))
def test_ring_stays_within_its_bytes(payloads: list[str], limit: int) -> None:
    """The ring holds at most its bound of bytes, or a single frame that is larger."""
    ring = Ring("e", max_bytes=limit)
    for payload in payloads:
        ring.publish(payload.encode())
    assert ring.bytes <= limit or ring.last - ring.first == 0


@given(st.text(max_size=30))
def test_only_held_ids_can_be_resumed_from(text: str) -> None:
    """A reader resumes from an id of this epoch whose successors are all held, and from no other text."""
    ring = Ring("epoch", max_frames=2)
    for n in range(5):
        ring.publish(str(n).encode())
    held_ids = {ring.id_of(number) for number in (3, 4, 5)}
    assert (ring.number_of(text) is not None) == (text in held_ids)
    assert ring.number_of("other-5") is None
    assert ring.number_of("epoch-6") is None


async def take(stream: AsyncIterator[bytes]) -> str:
    """Return the next frames of a stream as text."""
    async with asyncio.timeout(10):
        return (await anext(stream)).decode()


async def test_new_reader_begins_with_hello() -> None:
    """A new reader gets ``hello`` and then only events that were published after it."""
    hub = Hub()
    hub.publish([b"1"])
    stream = hub.stream(None)
    assert "event: hello" in await take(stream)
    hub.publish([b"2", b"3"])
    assert [line for line in (await take(stream)).splitlines() if line.startswith("data")] == [
        "data: 2",
        "data: 3",
    ]


async def test_reader_resumes_after_its_last_event() -> None:
    """A reader that returns with an id gets ``hello`` and the events after that id."""
    hub = Hub()
    hub.publish([b"1", b"2", b"3"])
    stream = hub.stream(hub.ring.id_of(1))
    assert "event: hello" in await take(stream)
    assert (await take(stream)).count("data: ") == 2


async def test_reader_of_another_epoch_is_reset() -> None:
    """A reader that returns with an id of another server gets ``reset``."""
    hub = Hub()
    assert "event: reset" in await take(hub.stream("before-7"))


async def test_restart_resets_every_reader() -> None:
    """When the hub restarts, connected readers get ``reset``."""
    hub = Hub()
    stream = hub.stream(None)
    await take(stream)
    hub.restart()
    assert "event: reset" in await take(stream)


async def test_slow_reader_gets_the_number_it_missed() -> None:
    """A reader behind the oldest held event gets ``lag`` with the number of missed events, and then new events."""
    hub = Hub(max_frames=3)
    stream = hub.stream(None)
    await take(stream)
    hub.publish([str(n).encode() for n in range(10)])
    lag = await take(stream)
    assert "event: lag" in lag
    assert '"missed":10' in lag
    hub.publish([b"next"])
    assert "data: next" in await take(stream)


async def test_alive_is_sent_during_silence() -> None:
    """Without events, a reader gets ``alive`` after the heartbeat interval."""
    stream = Hub(heartbeat=0.01).stream(None)
    await take(stream)
    assert "event: alive" in await take(stream)


async def test_close_ends_streams_after_their_last_event() -> None:
    """A closed hub still sends what was published before, and then ends its streams."""
    hub = Hub()
    stream = hub.stream(None)
    await take(stream)
    hub.publish([b"last"])
    hub.close()
    assert "data: last" in await take(stream)
    assert [part async for part in stream] == []
    assert hub.readers == 0


def envelope(**changes: object) -> dict[str, object]:
    """Return the envelope of an event with these changes."""
    return {
        "specversion": "1.0",
        "id": "e",
        "type": "run:created",
        "tenant": "default",
        "runid": "r",
        "runseq": 1,
        "data": {"id": "r"},
    } | changes


def encoded(**changes: object) -> bytes:
    """Return the bytes of an event with these changes."""
    return json.dumps(envelope(**changes), separators=(",", ":")).encode()


def test_event_passes_byte_for_byte() -> None:
    """An event of ordinary size is sent as the bytes that Kafka holds, with numbers that Python would round."""
    value = encoded(runseq=7, data={"value": 0}).replace(b":0}", b":12345678901234567890.10}")
    event = to_feed_event(value)
    assert event is not None
    assert (event.payload, event.run, event.run_seq) == (value, "default/r", 7)


def test_large_event_names_the_fields_left_out() -> None:
    """A large event loses its largest fields, which are null and listed in `trimmed`."""
    event = to_feed_event(encoded(data={"key": "k", "value": "x" * MAX_WHOLE, "payload": None}))
    assert event is not None
    payload = json.loads(event.payload)
    assert payload["trimmed"] == ["value"]
    assert payload["data"] == {"key": "k", "value": None, "payload": None}


@given(st.binary(max_size=200))
def test_other_messages_are_skipped(value: bytes) -> None:
    """A message that is not an event of Postil is skipped."""
    assert to_feed_event(value) is None
    assert to_feed_event(b"\n" + value) is None


def test_invalid_json_behind_a_valid_head_is_skipped() -> None:
    """A message with an event's head whose rest is not JSON is skipped, so that the page can parse what it gets."""
    value = encoded()
    assert to_feed_event(value) is not None
    assert to_feed_event(value.replace(b'"data":{', b'"data":{,')) is None


def test_line_break_cannot_end_an_event_early() -> None:
    """A line feed between tokens makes the message invalid, and a carriage return is not sent."""
    assert to_feed_event(json.dumps(envelope(), indent=2).encode()) is None
    event = to_feed_event(encoded().replace(b'"data":', b'"data":\r'))
    assert event is not None
    assert b"\r" not in event.payload


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 6)), max_size=40))
def test_repeated_events_are_recognized(messages: list[tuple[str, int]]) -> None:
    """An event counts as seen exactly if the same or a later event of its run came before."""
    deduplicator, last = Deduplicator(), dict[str, int]()
    for run, number in messages:
        event = to_feed_event(encoded(runid=run, runseq=number))
        assert event is not None
        assert deduplicator.seen(event) == (number <= last.get(run, 0))
        last[run] = max(number, last.get(run, 0))


class FailingTail(TopicTail):
    """A tail whose attempts to read raise an error that no code expects."""

    def _consumer(self) -> Consumer:
        if self.status.state == "down":
            self.retried.set()
        raise ValueError("no such setting")

    retried = threading.Event()


def test_an_unexpected_error_is_reported_and_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed is down with the reason, and its thread tries again."""
    monkeypatch.setattr(topic_tail, "RETRY_INTERVAL", 0.01)
    loop = asyncio.new_event_loop()
    tail = FailingTail({}, "events", "default", Hub(), loop)
    tail.start()
    try:
        assert tail.retried.wait(10)
        assert (tail.status.state, tail.status.reason) == ("down", "ValueError: no such setting")
    finally:
        tail.stop()
        tail.join()
        loop.close()
