"""What the check of the audit log reports when the manifest was changed, cut or removed."""

from __future__ import annotations

import random
from pathlib import Path

import orjson
import pytest

from fixtures.audit_tampering import SEEDS, entries_named, finding_texts, line_at, lines, records_named
from postil_consumers.audit.log import manifest
from postil_consumers.audit.verify.log_check import verify_log


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flipped_bit_of_the_manifest_names_its_entry(pristine: Path, log: Path, seed: int) -> None:
    """A flipped bit of the manifest is reported at its entry or the next one, and no record is reported."""
    chance = random.Random(seed)
    path = log / "manifest.ndjson"
    content = bytearray(path.read_bytes())
    position = chance.randrange(len(content))
    content[position] ^= 1 << chance.randrange(8)
    path.write_bytes(content)

    report = verify_log(log)

    entry = line_at(pristine / path.name, position)
    assert entries_named(report) & {entry, entry + 1}
    assert entries_named(report) <= {entry, entry + 1}
    assert records_named(report) == set(), "no record was changed"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_deleted_copied_or_moved_entry_is_reported(log: Path, seed: int) -> None:
    """A deleted, copied or moved entry of the manifest is reported at its place."""
    chance = random.Random(seed)
    path = log / "manifest.ndjson"
    entries = lines(path)
    index = chance.randrange(len(entries) - 1)  # another test cuts off the last entry
    match chance.choice(["delete", "duplicate", "move"]):
        case "delete":
            del entries[index]
        case "duplicate":
            entries.insert(chance.randrange(index + 1, len(entries)), entries[index])
        case _:
            entries[index], entries[index + 1] = entries[index + 1], entries[index]
    path.write_bytes(b"".join(entries))

    report = verify_log(log)

    assert entries_named(report) & {index, index + 1}
    assert entries_named(report) <= {index, index + 1}


def test_a_rewritten_entry_with_a_valid_hash_is_reported(log: Path) -> None:
    """An entry that was rewritten with a valid hash is reported, because the next entry holds the old hash."""
    path = log / "manifest.ndjson"
    entries = lines(path)
    original = orjson.loads(entries[4])
    link = manifest.decode(entries[4][:-1])
    assert isinstance(link.entry, manifest.Commit)
    forged = {name: getattr(link.entry, name) for name in link.entry.__slots__} | {"next_offset": 1_000}
    entries[4] = manifest.encode(manifest.Commit(**forged), 4, original["prev"])[0]
    path.write_bytes(b"".join(entries))

    (finding,) = verify_log(log).findings

    assert (
        finding.what,
        finding.place["entry"],
    ) == ("the entry was rewritten: the next one follows another", 4)


def test_a_missing_manifest_is_reported(log: Path) -> None:
    """A log without its manifest has one finding: the manifest is missing."""
    (log / "manifest.ndjson").unlink()

    assert finding_texts(verify_log(log)) == ["the manifest is missing"]


def test_an_emptied_log_is_in_doubt(log: Path) -> None:
    """A log that holds only an empty manifest is inconclusive about its manifest, not a sound log."""
    for path in log.iterdir():
        path.unlink()
    (log / "manifest.ndjson").touch()

    report = verify_log(log)

    (finding,) = report.inconclusive
    assert (finding_texts(report), finding.place["file"]) == ([], "manifest.ndjson")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_manifest_that_was_cut_short_is_reported(log: Path, seed: int) -> None:
    """A manifest that was cut short is reported, because the run index or a segment is beyond its end."""
    chance = random.Random(seed)
    path = log / "manifest.ndjson"
    entries = lines(path)
    beginning = b"".join(entries[: chance.randrange(1, len(entries))])
    path.write_bytes(beginning + entries[-1][: chance.randrange(len(entries[-1]) - 1)])

    report = verify_log(log)

    assert [finding for finding in report.findings if finding.kind in {"truncated", "segment"}]
