"""Each test has its own database and its own topic on real servers."""

from __future__ import annotations

import psycopg
from confluent_kafka.admin import AdminClient

from postil.settings import Settings


def test_each_test_has_a_new_database(database_url: str) -> None:
    """The `database_url` fixture names a migrated database without events."""
    with psycopg.connect(database_url) as connection:
        (events,) = connection.execute("select count(*) from postil.event").fetchone() or (None,)
    assert events == 0


def test_each_test_has_a_topic_of_six_partitions(settings: Settings) -> None:
    """The `settings` fixture names a topic with the default number of partitions."""
    topics = AdminClient(settings.kafka_client()).list_topics(timeout=30).topics
    assert len(topics[settings.kafka_topic].partitions) == 6
