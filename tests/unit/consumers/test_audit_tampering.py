"""The attacker's view of the audit log: whatever is changed in its files is found, at its place."""

from __future__ import annotations

import random
import shutil
import threading
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

import orjson
import pytest

from postil.model.envelope import identify
from postil_consumers.audit.log import manifest
from postil_consumers.audit.log.merkle import leaf_hash
from postil_consumers.audit.log.writer import Line, PartitionLog
from postil_consumers.audit.sink import AuditSink, log_directory
from postil_consumers.audit.verify.log_check import LogReport, verify_log
from postil_consumers.runtime.sink import DeadLetter, Item, Partition, Record
from postil_consumers.testing import event_value

RECORDS = 60
SEGMENT = 16
PARTITION = Partition("events", 3)
SEEDS = range(40)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 60 records of five runs, in batches of 1 to 7, in segments of 16; one record is a dead letter."""
    audit_dir = tmp_path_factory.mktemp("audit")
    sink = AuditSink(audit_dir, segment_records=SEGMENT)
    sink.open(PARTITION)
    chance = random.Random(7)
    items: list[Item] = []
    numbers: dict[str, int] = {}
    for offset in range(RECORDS):
        if offset == 20:
            items.append(DeadLetter(offset, "not JSON", b"key", b"garbage"))
            continue
        run = f"run-{chance.randrange(5)}"
        numbers[run] = numbers.get(run, 0) + 1
        items.append(Record(offset, identify(event_value(run, numbers[run]))))
    at = 0
    while at < RECORDS:
        step = chance.randint(1, 7)
        sink.deliver(PARTITION, items[at : at + step], min(at + step, RECORDS))
        at += step
    sink.shutdown()
    return log_directory(audit_dir, "events", 3)


@pytest.fixture
def log(written: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(written, tmp_path / written.name))


def segments(log: Path) -> list[Path]:
    return sorted(log.glob("0*.ndjson"))


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def records_named(report: LogReport) -> set[int]:
    """Every record number that some finding names."""
    named: set[int] = set()
    for finding in report.findings:
        record = finding.place.get("record")
        if isinstance(record, str):
            first, last = record.split(" to ")
            named |= set(range(int(first), int(last) + 1))
        elif isinstance(record, int):
            named.add(record)
    return named


def entries_named(report: LogReport) -> set[int]:
    return {int(finding.place["entry"]) for finding in report.findings if "entry" in finding.place}


def said(report: LogReport) -> list[str]:
    return [finding.what for finding in report.findings]


def test_what_was_written_is_sound(log: Path) -> None:
    report = verify_log(log)

    assert said(report) == []
    assert (report.records, report.dead_letters, report.segments, report.uncovered) == (RECORDS, 1, 4, 0)


def line_at(path: Path, byte: int) -> int:
    """The line of a pristine file that a byte belongs to, its end included."""
    return bisect_right(list(accumulate(map(len, lines(path)))), byte)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flipped_bit_of_a_record_is_found_in_that_record(written: Path, log: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = chance.choice(segments(log))
    content = bytearray(path.read_bytes())
    at = chance.randrange(len(content))
    content[at] ^= 1 << chance.randrange(8)
    path.write_bytes(content)

    report = verify_log(log)

    record = int(path.stem) + line_at(written / path.name, at)
    # A line end that is flipped away joins two records; one that is flipped into being inserts a line.
    assert record in records_named(report)
    assert records_named(report) <= {record, record + 1}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_record_that_is_deleted_is_named(log: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = chance.choice(segments(log))
    kept = lines(path)
    victim = chance.randrange(len(kept))
    del kept[victim]
    path.write_bytes(b"".join(kept))

    report = verify_log(log)

    assert said(report) == ["the record is missing"]
    assert records_named(report) == {int(path.stem) + victim}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_line_that_is_inserted_is_named_by_the_record_it_stands_before(log: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = chance.choice(segments(log))
    kept = lines(path)
    before = chance.randrange(len(kept))
    stranger = chance.choice(
        [chance.choice(lines(chance.choice(segments(log)))), event_value("forged", 1) + b"\n"]
    )
    neighbours = {kept[before], kept[before - 1]}
    kept.insert(before, stranger)
    path.write_bytes(b"".join(kept))

    report = verify_log(log)

    if path == segments(log)[-1] and kept[-1] == kept[-2]:  # the copy stands after the last record
        assert (said(report), records_named(report)) == (["a copy of a record was appended"], {RECORDS})
        return
    assert said(report) == ["a line was inserted before this record"]
    # Beside its own copy it cannot be told which of the two is the copy.
    place = int(path.stem) + before
    assert records_named(report) <= ({place - 1, place, place + 1} if stranger in neighbours else {place})


@pytest.mark.parametrize("more", [b"x", b"\n", event_value("forged", 1) + b"\n"])
def test_what_is_appended_to_a_sealed_segment_is_found(log: Path, more: bytes) -> None:
    with segments(log)[1].open("ab") as end:
        end.write(more)

    (finding,) = verify_log(log).findings

    assert (finding.what, finding.place["record"]) == ("a line was inserted before this record", 2 * SEGMENT)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_copy_of_any_record_that_is_appended_is_found_behind_the_last_one(log: Path, seed: int) -> None:
    written = [line for path in segments(log) for line in lines(path) if b'"deadletter"' not in line]
    copied = random.Random(seed).choice(written)
    end = segments(log)[-1].stat().st_size
    with segments(log)[-1].open("ab") as file:
        file.write(event_value("forged", 1) + b"\n" + copied)

    (finding,) = verify_log(log).findings

    assert (
        finding.what,
        finding.place["record"],
        finding.place["byte"],
    ) == ("a copy of a record was appended", RECORDS + 1, end + len(event_value("forged", 1)) + 1)


@pytest.mark.parametrize("file", ["segment", "next segment", "manifest"])
@pytest.mark.parametrize("more", [b"x", b"\x00" * 4096, event_value("forged", 1) + b"\n"])
def test_what_a_dying_writer_may_have_left_is_no_sound_end(log: Path, file: str, more: bytes) -> None:
    """Nobody can tell it from a forgery: neither sound nor tampered with, and named."""
    last = segments(log)[-1]
    path = {
        "segment": last,
        "next segment": log / manifest.segment_name(RECORDS),
        "manifest": log / "manifest.ndjson",
    }[file]
    begin = path.stat().st_size if path.exists() else 0
    if file == "manifest":
        more = more.rstrip(b"\n")
    with path.open("ab") as end:
        end.write(more)

    report = verify_log(log)

    (doubt,) = report.doubts
    assert (said(report), report.uncovered, doubt.place["byte"]) == ([], len(more), begin)
    assert (
        doubt.place.get("segment") or doubt.place["file"],
        doubt.place.get("record"),
    ) == (path.name, None if file == "manifest" else RECORDS)


def test_an_appended_forgery_is_named_beside_other_damage(log: Path) -> None:
    path = segments(log)[-1]
    kept = lines(path)
    end = sum(map(len, kept))
    kept[2] = kept[2].replace(b'"1.0"', b'"1.1"')
    path.write_bytes(b"".join(kept) + event_value("forged", 1) + b"\n")

    report = verify_log(log)

    assert (
        said(report),
        [doubt.place["byte"] for doubt in report.doubts],
    ) == (["the record was altered"], [end])


def test_what_a_writer_is_writing_is_neither_wrong_nor_in_doubt(tmp_path: Path) -> None:
    """Many batches, segments and verifications at once: the verifier waits for the entry of what it saw."""
    written = PartitionLog(tmp_path / "events-0", "events", 0, segment_records=64)
    written.append([Line(event_value("r", 1), 0, False)], 1)
    done = threading.Event()

    def write() -> None:
        for number in range(2, 700):
            written.append([Line(event_value("r", number), number - 1, False)], number)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not done.is_set():
            report = verify_log(tmp_path / "events-0", wait=60)
            assert (said(report), list(report.doubts), report.uncovered) == ([], [], 0)
    finally:
        writer.join()
        written.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_two_records_that_changed_places_are_named(log: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = chance.choice(segments(log))
    kept = lines(path)
    one, other = sorted(chance.sample(range(len(kept)), 2))
    kept[one], kept[other] = kept[other], kept[one]
    path.write_bytes(b"".join(kept))

    report = verify_log(log)

    assert set(said(report)) == {"the record was moved here from its place"}
    first = int(path.stem)
    assert records_named(report) & {first + one, first + other}
    assert records_named(report) <= set(range(first + one, first + other + 1))


def test_a_record_that_is_replaced_by_one_of_another_run_is_named_with_its_run(log: Path) -> None:
    path = segments(log)[1]
    kept = lines(path)
    kept[3] = event_value("forged", 9) + b"\n"
    path.write_bytes(b"".join(kept))

    (finding,) = verify_log(log).findings

    assert (
        finding.what,
        *(finding.place[name] for name in ("record", "run", "run_seq", "byte")),
    ) == ("the record was altered", SEGMENT + 3, "default/forged", 9, sum(map(len, kept[:3])))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_record_altered_together_with_its_leaf_hash_is_found_in_its_batch(log: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = chance.choice(segments(log))
    kept = lines(path)
    victim = chance.randrange(len(kept))
    kept[victim] = kept[victim].replace(b'"1.0"', b'"1.1"').replace(b"deadletter", b"badletters")
    path.write_bytes(b"".join(kept))
    leaves = path.with_suffix(".leaves")
    hashes = bytearray(leaves.read_bytes())
    hashes[victim * 32 : victim * 32 + 32] = leaf_hash(kept[victim][:-1])
    leaves.write_bytes(hashes)

    report = verify_log(log)

    assert int(path.stem) + victim in records_named(report)
    assert len(records_named(report)) <= 7, "no further than the batch"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_flipped_bit_of_the_manifest_is_found_in_that_entry(written: Path, log: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = log / "manifest.ndjson"
    content = bytearray(path.read_bytes())
    at = chance.randrange(len(content))
    content[at] ^= 1 << chance.randrange(8)
    path.write_bytes(content)

    report = verify_log(log)

    entry = line_at(written / path.name, at)
    assert entries_named(report) & {entry, entry + 1}
    assert entries_named(report) <= {entry, entry + 1}
    assert records_named(report) == set(), "the records are as they were"


@pytest.mark.parametrize("seed", SEEDS)
def test_an_entry_that_is_deleted_duplicated_or_moved_is_named(log: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = log / "manifest.ndjson"
    kept = lines(path)
    entry = chance.randrange(len(kept) - 1)  # the last one deleted is the end cut off, another test
    match chance.choice(["delete", "duplicate", "move"]):
        case "delete":
            del kept[entry]
        case "duplicate":
            kept.insert(chance.randrange(entry + 1, len(kept)), kept[entry])
        case _:
            kept[entry], kept[entry + 1] = kept[entry + 1], kept[entry]
    path.write_bytes(b"".join(kept))

    report = verify_log(log)

    assert entries_named(report) & {entry, entry + 1}
    assert entries_named(report) <= {entry, entry + 1}


def test_an_entry_rewritten_with_its_own_hash_made_right_is_named(log: Path) -> None:
    path = log / "manifest.ndjson"
    kept = lines(path)
    said_there = orjson.loads(kept[4])
    link = manifest.decode(kept[4][:-1])
    assert isinstance(link.entry, manifest.Commit)
    forged = {name: getattr(link.entry, name) for name in link.entry.__slots__} | {"next_offset": 1_000}
    kept[4] = manifest.encode(manifest.Commit(**forged), 4, said_there["prev"])[0]
    path.write_bytes(b"".join(kept))

    (finding,) = verify_log(log).findings

    assert (
        finding.what,
        finding.place["entry"],
    ) == ("the entry was rewritten: the next one follows another", 4)


@pytest.mark.parametrize("number", range(4))
def test_a_segment_that_is_missing_is_named_with_its_records(log: Path, number: int) -> None:
    path = segments(log)[number]
    path.unlink()

    (finding,) = verify_log(log).findings

    assert (finding.what, finding.place["segment"]) == ("the segment is missing", path.name)


def test_segments_that_changed_names_are_both_named(log: Path) -> None:
    first, second = segments(log)[:2]
    first.rename(log / "aside")
    second.rename(first)
    (log / "aside").rename(second)

    report = verify_log(log)

    assert records_named(report) == set(range(2 * SEGMENT))


def test_a_segment_under_a_new_name_is_a_stranger_and_missed(log: Path) -> None:
    segments(log)[1].rename(log / "00000000000000000017.ndjson")

    assert said(verify_log(log)) == ["the segment is missing", "the manifest knows no such segment"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_segment_cut_short_is_missing_what_was_cut(written: Path, log: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = chance.choice(segments(log))
    size = chance.randrange(path.stat().st_size)
    with path.open("rb+") as file:
        file.truncate(size)

    report = verify_log(log)

    first, count = int(path.stem), len(lines(written / path.name))
    assert records_named(report) == set(range(first + line_at(written / path.name, size), first + count))


def test_a_manifest_that_is_gone_is_no_clean_log(log: Path) -> None:
    (log / "manifest.ndjson").unlink()

    assert said(verify_log(log)) == ["the manifest is missing"]


def test_a_log_that_was_emptied_is_not_sound(log: Path) -> None:
    for path in log.iterdir():
        path.unlink()
    (log / "manifest.ndjson").touch()

    report = verify_log(log)

    (doubt,) = report.doubts
    assert (said(report), doubt.place["file"]) == ([], "manifest.ndjson")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_manifest_whose_end_was_cut_off_disagrees_with_the_run_index(log: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = log / "manifest.ndjson"
    kept = lines(path)
    keep = b"".join(kept[: chance.randrange(1, len(kept))])
    path.write_bytes(keep + kept[-1][: chance.randrange(len(kept[-1]) - 1)])

    report = verify_log(log)

    assert [finding for finding in report.findings if finding.kind in {"truncated", "segment"}]


def test_leaf_hashes_that_were_altered_are_named_though_the_records_stand(log: Path) -> None:
    leaves = log / "00000000000000000016.leaves"
    content = bytearray(leaves.read_bytes())
    content[5 * 32] ^= 1
    leaves.write_bytes(content)

    (finding,) = verify_log(log).findings

    assert (finding.kind, finding.what) == ("leaves", "the leaf hashes were altered")


def test_a_chain_that_is_sound_still_shows_a_run_whose_numbers_are_not(tmp_path: Path) -> None:
    """A writer that broke the rule would be seen, whatever it hashed."""
    written = PartitionLog(tmp_path / "events-0", "events", 0)
    written.append([Line(event_value("r", n), n, False) for n in (1, 2, 4)], 5)
    written.close()

    (finding,) = verify_log(tmp_path / "events-0").findings

    assert (
        finding.what,
        finding.place["record"],
        finding.place["run"],
    ) == ("run_seq 4 follows 2", 2, "default/r")
