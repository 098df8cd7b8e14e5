"""Recovery of the audit log when it is opened: repaired tails, added seals, and damage that is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures.audit_logs import LINES, VALUES, contents, lines_of, open_log
from postil_consumers.audit.log.writer import PartitionLog
from postil_consumers.audit.verify.log_check import verify_log
from postil_consumers.errors import AuditLogDamaged


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "events-0"


@pytest.mark.parametrize("torn", [b"x", b"{", b'{"half":', b"whole\nlines\nand a half"])
@pytest.mark.parametrize("file", ["segment", "leaves", "manifest"])
def test_a_torn_tail_is_cut_off(directory: Path, file: str, torn: bytes) -> None:
    """Opening the log cuts off the bytes that no manifest entry covers, and the log can be continued."""
    log = open_log(directory)
    log.append(LINES[:3], 3)
    log.close()
    torn = torn.replace(b"\n", b" ") if file == "manifest" else torn
    path = next(directory.glob({"segment": "0*.ndjson", "leaves": "*.leaves", "manifest": "manifest*"}[file]))
    with path.open("ab") as handle:
        handle.write(torn)

    log = open_log(directory)
    assert log.state.next_offset == 3
    log.append(LINES[3:6], 6)
    log.close()

    assert contents(directory) == lines_of(VALUES[:6])
    assert list(verify_log(directory).findings) == []


def test_records_of_a_torn_manifest_entry_are_cut_off(directory: Path) -> None:
    """Opening the log cuts off the records of a torn manifest entry, because Kafka can deliver them again."""
    log = open_log(directory)
    log.append(LINES[:3], 3)
    log.append(LINES[3:6], 6)
    log.close()
    manifest = directory / "manifest.ndjson"
    manifest.write_bytes(manifest.read_bytes()[:-20])

    log = open_log(directory)
    assert log.state.next_offset == 3
    log.close()

    assert contents(directory) == lines_of(VALUES[:3])


def test_a_missing_seal_is_added_on_opening(directory: Path) -> None:
    """Opening the log seals a full segment whose seal is missing after a crash."""
    log = open_log(directory)
    log.append(LINES[:8], 8)
    log.close()
    manifest = directory / "manifest.ndjson"
    *entries, seal = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join(entries))

    log = open_log(directory)
    assert manifest.read_bytes() == b"".join([*entries, seal])
    log.append(LINES[8:10], 10)
    log.close()

    assert contents(directory) == lines_of(VALUES[:10])
    assert list(verify_log(directory).findings) == []


@pytest.mark.parametrize(
    "damage", ["flip a record", "cut a record", "flip an entry", "delete an entry", "remove the manifest"]
)
def test_a_damaged_log_is_refused_and_not_changed(directory: Path, damage: str) -> None:
    """Damage that no crash can cause raises `AuditLogDamaged`, and no file changes."""
    log = open_log(directory)
    log.append(LINES[:3], 3)
    log.append(LINES[3:6], 6)
    log.close()
    segment, manifest = next(directory.glob("0*.ndjson")), directory / "manifest.ndjson"
    entries = manifest.read_bytes().splitlines(keepends=True)
    match damage:
        case "flip a record":
            segment.write_bytes(segment.read_bytes().replace(b"note", b"nope", 1))
        case "cut a record":
            segment.write_bytes(segment.read_bytes()[:-1])
        case "flip an entry":
            manifest.write_bytes(manifest.read_bytes().replace(b'"size":3', b'"size":4'))
        case "delete an entry":
            manifest.write_bytes(entries[0] + entries[2])
        case _:
            manifest.unlink()
    before = {path: path.read_bytes() for path in directory.iterdir() if path.name != "lock"}

    with pytest.raises(AuditLogDamaged) as refused:
        open_log(directory)

    assert "postil audit verify" in refused.value.advice
    assert {path: path.read_bytes() for path in directory.iterdir() if path.name != "lock"} == before


def test_the_log_of_another_partition_is_refused(directory: Path) -> None:
    """Opening a directory that holds the log of another partition raises `AuditLogDamaged`."""
    open_log(directory).close()

    with pytest.raises(AuditLogDamaged, match="it is the log of events/0, not of events/1"):
        PartitionLog(directory, "events", 1)
