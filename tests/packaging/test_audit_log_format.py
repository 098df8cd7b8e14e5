"""The page about the audit log's format is exact: its example is what the code writes, and its checker works."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from fixtures.audit_tampering import SEGMENT, write_log
from fixtures.documents import ROOT, blocks
from postil_consumers.audit.log import manifest
from postil_consumers.audit.log.records import dead_letter_line
from postil_consumers.audit.log.writer import Line, PartitionLog
from postil_consumers.runtime.sink import DeadLetter, Partition
from postil_consumers.testing import event_value

PAGE = "docs/reference/audit-log-format.md"
SOUND, TAMPERED, INCONCLUSIVE = 0, 1, 2
ENTRIES: list[type[manifest.Entry]] = [manifest.Open, manifest.Commit, manifest.Seal]


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's checker as a file, in a folder without Postil's code."""
    [code] = [block.code for block in blocks(PAGE) if block.language == "python"]
    path = tmp_path_factory.mktemp("checker") / "checker.py"
    path.write_text(code, "utf-8")
    return path


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of several segments that the audit sink wrote."""
    return write_log(tmp_path_factory.mktemp("audit"))


@pytest.fixture
def log(pristine: Path, tmp_path: Path) -> Path:
    """A copy of the log to tamper with."""
    return Path(shutil.copytree(pristine, tmp_path / pristine.name))


def verdict(checker: Path, log: Path) -> int:
    """Return the exit code of the page's checker, which runs without the installed packages."""
    command = [sys.executable, "-I", "-S", str(checker), str(log)]
    return subprocess.run(command, check=False, capture_output=True).returncode


def entries(log: Path) -> list[bytes]:
    """Return the lines of the manifest, each with its line feed."""
    return (log / "manifest.ndjson").read_bytes().splitlines(keepends=True)


def example_files() -> dict[str, bytes]:
    """Return the files that the page prints, by name. Leaf hashes are printed in hexadecimal."""
    text = (ROOT / PAGE).read_text("utf-8")
    files = re.findall(
        r"^`([\w.]+)`(?:, in hexadecimal)?:\n\n```text\n(.*?)```", text, re.DOTALL | re.MULTILINE
    )
    return {
        name: bytes.fromhex(content) if name.endswith(".leaves") else content.encode()
        for name, content in files
    }


def test_the_example_is_what_the_code_writes(tmp_path: Path) -> None:
    """The files of the page's example are the bytes that the writer writes for its three records."""
    partition = Partition("postil.events", 0)
    letter = dead_letter_line(DeadLetter(2, "not a CloudEvents 1.0 envelope", None, b"hello"), partition)
    topic_id = "FVmqDGPNQhK6xEtyyH9pRg"
    log = PartitionLog(tmp_path / "log", partition.topic, partition.number, segment_records=2)
    log.append([Line(event_value("run-42", 1), 0, False)], 1, topic_id)
    log.append([Line(event_value("run-42", 2), 1, False), Line(letter, 2, True)], 3, topic_id)
    log.close()

    written = {path.name: path.read_bytes() for path in (tmp_path / "log").iterdir() if path.name != "lock"}
    assert example_files() == written


def test_the_checker_accepts_the_example(checker: Path, tmp_path: Path) -> None:
    """The page's checker finds the page's example sound."""
    for name, content in example_files().items():
        (tmp_path / name).write_bytes(content)
    assert verdict(checker, tmp_path) == SOUND


def test_the_page_describes_each_field() -> None:
    """The table of each type of entry has exactly the fields of that type."""
    text = (ROOT / PAGE).read_text("utf-8")
    for entry in ENTRIES:
        section = text.partition(f"### `{entry.type}`")[2].partition("\n#")[0]
        names = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
        assert sorted(names) == sorted(field.name for field in fields(entry)), entry.type


def test_the_checker_accepts_a_log_of_the_code(checker: Path, log: Path) -> None:
    """The page's checker finds a log of several segments sound."""
    assert len(list(log.glob("0*.ndjson"))) > 60 // SEGMENT
    assert verdict(checker, log) == SOUND


@pytest.mark.parametrize(
    "file", ["manifest.ndjson", "00000000000000000000.ndjson", "00000000000000000048.ndjson"]
)
@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 1.0])
def test_the_checker_finds_a_flipped_bit(checker: Path, log: Path, file: str, place: float) -> None:
    """A flipped bit in the manifest or in a segment is never sound, and before the last byte it is tampering."""
    content = bytearray((log / file).read_bytes())
    at = round(place * (len(content) - 1))
    content[at] ^= 1
    (log / file).write_bytes(content)
    at_the_end = file == "manifest.ndjson" and place == 1.0
    assert verdict(checker, log) == (INCONCLUSIVE if at_the_end else TAMPERED)


@pytest.mark.parametrize("number", [0, 5, -1])
def test_the_checker_finds_a_deleted_record(checker: Path, log: Path, number: int) -> None:
    """A segment without one of its records is tampering."""
    segment = log / "00000000000000000016.ndjson"
    records = segment.read_bytes().splitlines(keepends=True)
    del records[number]
    segment.write_bytes(b"".join(records))
    assert verdict(checker, log) == TAMPERED


def test_the_checker_finds_a_deleted_entry(checker: Path, log: Path) -> None:
    """A manifest without an entry is tampering; without its last one the records lie uncovered: inconclusive."""
    lines = entries(log)
    verdicts = []
    for number in range(len(lines)):
        (log / "manifest.ndjson").write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
        verdicts.append(verdict(checker, log))
    assert verdicts == [*[TAMPERED] * (len(lines) - 1), INCONCLUSIVE]


def test_the_checker_finds_a_deleted_or_added_file(checker: Path, log: Path) -> None:
    """A missing manifest or segment, and a segment that the manifest does not list, are tampering."""
    verdicts = []
    for name in ("manifest.ndjson", "00000000000000000016.ndjson"):
        content = (log / name).read_bytes()
        (log / name).unlink()
        verdicts.append(verdict(checker, log))
        (log / name).write_bytes(content)
    (log / "00000000000000000007.ndjson").write_bytes(b"")
    assert [*verdicts, verdict(checker, log)] == [TAMPERED] * 3


@pytest.mark.parametrize("file", ["manifest.ndjson", "00000000000000000048.ndjson"])
def test_the_checker_reports_bytes_that_are_not_covered(checker: Path, log: Path, file: str) -> None:
    """Bytes after the last entry or after the last covered record are inconclusive."""
    with (log / file).open("ab") as handle:
        handle.write(b"{")
    assert verdict(checker, log) == INCONCLUSIVE


def test_the_checker_reports_a_log_that_is_not_begun(checker: Path, tmp_path: Path) -> None:
    """An empty manifest is inconclusive."""
    (tmp_path / "manifest.ndjson").write_bytes(b"")
    assert verdict(checker, tmp_path) == INCONCLUSIVE
