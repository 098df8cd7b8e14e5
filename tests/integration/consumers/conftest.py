"""Fixtures of the consumers' integration tests: eight runs in Postgres, alone or with equal copies downstream."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fixtures.manual_pipeline import RUNS, ManualPipeline
from postil.settings import Settings


@pytest.fixture
def pipeline(settings: Settings) -> Iterator[ManualPipeline]:
    """Eight runs in Postgres, neither in Kafka nor in the audit log."""
    pipeline = ManualPipeline(settings)
    pipeline.record(*(f"run-{n}" for n in range(RUNS)))
    yield pipeline
    pipeline.database.close()


@pytest.fixture
def complete(pipeline: ManualPipeline) -> ManualPipeline:
    """The same eight runs in Postgres, in Kafka and in the audit log."""
    pipeline.publish(pipeline.log())
    pipeline.checkpoint()
    pipeline.audit()
    return pipeline
