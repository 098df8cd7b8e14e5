"""Fixtures of the audit log's unit tests: one audit log for all tests, and a copy for each test that changes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fixtures.audit_tampering import write_log


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of an audit log that no test changes."""
    return write_log(tmp_path_factory.mktemp("audit"))


@pytest.fixture
def log(pristine: Path, tmp_path: Path) -> Path:
    """The directory of a copy to tamper with."""
    return Path(shutil.copytree(pristine, tmp_path / pristine.name))
