"""The servers the other tests run on are the real ones, and each test has its own corner of them."""

from __future__ import annotations

import psycopg
from confluent_kafka.admin import AdminClient

from postil.settings import Settings


def test_each_test_has_a_migrated_database_of_its_own(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        (events,) = connection.execute("select count(*) from postil.event").fetchone() or (None,)
    assert events == 0


def test_each_test_has_a_topic_of_six_partitions_of_its_own(settings: Settings) -> None:
    topics = AdminClient(settings.kafka_client()).list_topics(timeout=30).topics
    assert len(topics[settings.kafka_topic].partitions) == 6
