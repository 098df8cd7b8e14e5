"""Whether the pipeline is healthy: Postgres, the relay, Kafka, the audit log and the feed, each asked alone.

A part that cannot be asked says why; the others still answer.
"""

from __future__ import annotations

import asyncio
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from postil.errors import PostilError
from postil.http.database import Database
from postil.model.records import Pipeline
from postil.postgres.reads.pipeline import pipeline
from postil.settings import Settings
from postil_consumers.audit.sink import consumer_group
from postil_consumers.audit.status import audit_log
from postil_consumers.dashboard.feed.hub import Hub
from postil_consumers.dashboard.feed.tap import Tap

FRESH = 1.0
"""Seconds an answer is shared by all viewers."""
BEHIND_SECONDS = 5.0
"""Age of the oldest unpublished event from which the relay counts as behind."""
BEHIND_EVENTS = 1_000
"""Messages from which the audit log counts as behind; fewer are on their way."""


class Health:
    """Gathers the state of every part, at most once a second however many look."""

    def __init__(self, settings: Settings, database: Database, hub: Hub, tap: Tap | None) -> None:
        self._settings = settings
        self._database = database
        self._hub = hub
        self._tap = tap
        self._gathering: asyncio.Task[dict[str, Any]] | None = None
        self._gathered_at = 0.0

    async def now(self) -> dict[str, Any]:
        """The state of every part, at most `FRESH` seconds old."""
        loop = asyncio.get_running_loop()
        if self._gathering is None or (self._gathering.done() and loop.time() - self._gathered_at > FRESH):
            self._gathered_at = loop.time()
            self._gathering = asyncio.create_task(self._gather())
        return await asyncio.shield(self._gathering)

    async def _gather(self) -> dict[str, Any]:
        postgres, kafka, audit = await asyncio.gather(
            self._postgres(),
            asyncio.to_thread(self._kafka),
            asyncio.to_thread(audit_log, self._settings.audit_path),
        )
        lag = kafka.pop("audit_lag", None)
        if audit["state"] == "ok" and lag is not None and lag > BEHIND_EVENTS:
            audit["state"] = "behind"
        return {**postgres, "kafka": kafka, "audit": {**audit, "lag": lag}, "feed": self._feed()}

    async def _postgres(self) -> dict[str, Any]:
        try:
            found = await self._database.ask(pipeline())
        except PostilError as error:
            unknown = _failed(error)
            return {"postgres": unknown, "relay": {"state": "unknown", "reason": "Postgres does not answer"}}
        log = {"state": "ok", "server": found.server, "events": found.events, "exact": found.events_exact}
        return {"postgres": log, "relay": relay_state(found)}

    def _kafka(self) -> dict[str, Any]:
        if not self._settings.kafka_bootstrap_servers:
            return {"state": "unknown", "reason": "no Kafka is configured"}
        topic = self._settings.kafka_topic
        group = consumer_group(topic)
        try:
            consumer = Consumer({**self._settings.kafka_client(), "group.id": group, "log_level": 0})
        except KafkaException as error:
            return {"state": "down", "reason": str(error)}
        try:
            found = consumer.list_topics(topic, timeout=2).topics[topic]
            if found.error is not None:
                return {
                    "state": "waiting",
                    "reason": f"topic {topic} does not exist yet: the relay creates it",
                }
            parts = [TopicPartition(topic, number) for number in found.partitions]
            bounds = {p.partition: consumer.get_watermark_offsets(p, timeout=2) for p in parts}
            committed = consumer.committed(parts, timeout=2)
            places = {p.partition: p.offset for p in committed}
            return {
                "state": "ok",
                "topic": topic,
                "partitions": len(parts),
                "messages": sum(high - low for low, high in bounds.values()),
                "audit_lag": sum(high - max(low, places[n]) for n, (low, high) in bounds.items()),
            }
        except KafkaException as error:
            cause = error.args[0]
            return {"state": "down", "reason": cause.str() if isinstance(cause, KafkaError) else str(error)}
        finally:
            consumer.close()

    def _feed(self) -> dict[str, Any]:
        ring = self._hub.ring
        line = {"readers": self._hub.readers, "at": ring.last, "held": ring.last - ring.first + 1}
        if self._tap is None:
            return {"state": "down", "reason": "no Kafka is configured", **line}
        status = self._tap.status
        return {"state": status.state, "reason": status.reason, "received": status.received, **line}


def relay_state(found: Pipeline) -> dict[str, Any]:
    """What the relay's cursors mean: ``ok``, ``behind``, ``stopped`` (no lease is held) or ``never`` (none was)."""
    if found.lanes_leased == 0:
        state = "never" if found.epoch == 0 else "stopped"
    elif found.oldest_seconds is not None and found.oldest_seconds > BEHIND_SECONDS:
        state = "behind"
    else:
        state = "ok"
    return {
        "state": state,
        "unpublished": found.unpublished,
        "oldest_seconds": found.oldest_seconds,
        "owners": found.owners,
        "lanes": found.lanes,
        "lanes_leased": found.lanes_leased,
        "epoch": found.epoch,
        "checkpoint_seconds": found.checkpoint_seconds,
        "parked": found.parked,
    }


def _failed(error: PostilError) -> dict[str, Any]:
    return {"state": "down", "reason": error.what, "advice": error.advice}
