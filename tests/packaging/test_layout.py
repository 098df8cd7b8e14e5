"""The hazard of this layout: the folders `core`, `outbox_relay`, `consumers` and `deploy` are never importable."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("core", "outbox_relay", "consumers", "deploy")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_source_folder_is_not_importable(folder: str) -> None:
    """If `core.postil` could be imported next to `postil`, every class would exist twice."""
    assert find_spec(folder) is None


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_source_folder_has_no_init_file(folder: str) -> None:
    """A source folder has no `__init__.py`, so that it cannot become a package."""
    assert not (ROOT / folder / "__init__.py").exists()


def test_each_package_has_a_typing_marker() -> None:
    """Each import package has a `py.typed`, so that type checkers use its annotations."""
    missing = [
        package
        for package in (
            "core/postil",
            "outbox_relay/postil_relay",
            "consumers/postil_consumers",
            "deploy/postil_stack",
        )
        if not (ROOT / package / "py.typed").is_file()
    ]
    assert missing == []


def test_lock_files_have_hashes_and_no_addresses() -> None:
    """Every pinned version has hashes, and no line contains a download address."""
    for name in ("requirements.txt", "requirements-bootstrap.txt"):
        lines = (ROOT / name).read_text("utf-8").splitlines()
        pinned = [line for line in lines if "==" in line]
        assert pinned, name
        assert [line for line in lines if "://" in line or line.startswith(("-i", "--"))] == []
        assert all(line.rstrip().endswith("\\") for line in pinned), f"{name}: a version without its hashes"
