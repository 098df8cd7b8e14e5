"""Reading a manifest from its file: the chain from its beginning, and the newest commit from its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.audit_logs import LINES, open_log
from postil_consumers.audit.log.layout import MANIFEST
from postil_consumers.audit.log.manifest_reader import last_commit, read_links
from postil_consumers.errors import AuditLogDamaged


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """The manifest of a log with two commits and a seal between them."""
    log = open_log(tmp_path / "events-0")
    log.append(LINES[:8], 8)
    log.append(LINES[8:10], 10)
    log.close()
    return tmp_path / "events-0" / MANIFEST


def test_the_links_cover_every_byte(manifest: Path) -> None:
    """The links are the entries in order, and the last one ends where the file ends."""
    links = list(read_links(manifest))

    assert [(link.number, link.entry.type) for link, _ in links] == [
        (0, "open"),
        (1, "commit"),
        (2, "seal"),
        (3, "commit"),
    ]
    assert links[-1].end == manifest.stat().st_size


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ([1, 2, 3], "its first entry is not the one a log begins with"),
        ([0, 2, 3], "entry 2 at byte \\d+ does not follow entry 0"),
        ([0, 1, 1], "entry 1 at byte \\d+ does not follow entry 1"),
    ],
)
def test_a_broken_chain_is_refused(manifest: Path, order: list[int], message: str) -> None:
    """A chain with a missing or repeated entry raises `AuditLogDamaged` with the place."""
    entries = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(entries[number] for number in order))

    with pytest.raises(AuditLogDamaged, match=message):
        list(read_links(manifest))


def test_the_last_commit_is_the_newest_whole_one(manifest: Path) -> None:
    """The last commit is the newest one whose line is whole, also after a seal."""
    newest = last_commit(manifest.parent)
    manifest.write_bytes(manifest.read_bytes()[:-2])
    before = last_commit(manifest.parent)

    assert newest is not None
    assert before is not None
    assert (newest.size, before.size) == (10, 8)


def test_a_log_without_a_commit_has_no_last_one(tmp_path: Path) -> None:
    """The last commit is None where the directory is missing and where no record was written."""
    assert last_commit(tmp_path / "missing") is None
    open_log(tmp_path / "events-0").close()
    assert last_commit(tmp_path / "events-0") is None
