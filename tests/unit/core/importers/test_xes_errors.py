"""Event logs that are broken, too large or ambiguous: which cases are left out, and what is reported."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fixtures.event_logs import attribute, case, event, log, read
from postil.importers import BadCase, InputUnreadable, MalformedInput, Options, Parsed, xes
from postil.importers.limits import size
from postil.importers.source import Source
from postil.importers.xes import parser
from postil.model.limits import MAX_PAYLOAD_BYTES, MAX_VALUE_BYTES


def only(tmp_path: Path, content: str, options: Options | None = None) -> dict[str, Any]:
    (case_,) = read(tmp_path, content, options)
    assert isinstance(case_, Parsed), case_
    return dict(case_.history)


def test_a_time_without_a_zone_needs_the_option(tmp_path: Path) -> None:
    """A time without a zone is refused unless the user gives one with --timezone."""
    content = log(case("1", event("A", "2026-07-01T10:00:00")))

    (refused,) = read(tmp_path, content)
    assert isinstance(refused, BadCase)
    assert (refused.where, "--timezone" in refused.problem) == ("line 4", True)
    assert (
        only(tmp_path, content, Options(zone=ZoneInfo("Europe/Rome")))["recorded_at"]
        == "2026-07-01T10:00:00+02:00"
    )


@pytest.mark.parametrize(
    "date", ["2026-02-30T10:00:00Z", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "-0044-03-15T12:00:00Z",
             "0001-01-01T00:00:00Z",
             "2026-01-01T25:00:00Z", "2026-01-01T10:00:00+15:00", "yesterday", " ", "2026-01-01"],
)  # fmt: skip
def test_an_impossible_date_excludes_only_its_case(tmp_path: Path, date: str) -> None:
    """A date that does not exist excludes its case; the other cases are read."""
    good, bad, also_good = read(
        tmp_path, log(case("1", event("A")), case("2", event("A", date)), case("3", event("A")))
    )

    assert isinstance(good, Parsed)
    assert isinstance(also_good, Parsed)
    assert isinstance(bad, BadCase)
    assert bad.where == "line 7"


@pytest.mark.parametrize(
    ("broken", "line", "problem"),
    [
        (case(None, event("A")), 3, "has no name"),
        (case("1", event(None)), 4, "event has no name"),
        (case("1", "<event><string value='x'/></event>\n"), 4, "has no key"),
        (case("1", event("A", extra=attribute("n", "seven", "int"))), 4, "'seven' is not an integer"),
        (case("1", event("A", extra=attribute("n", "maybe", "boolean"))), 4, "is not a boolean"),
        ("<event/>\n", 3, "outside of any trace"),
        (case("9", event("A")), 5, "in the file twice. It was first at line 3"),
    ],
)
def test_a_bad_case_is_reported_with_its_line(tmp_path: Path, broken: str, line: int, problem: str) -> None:
    """A bad case is left out and reported with its line and problem."""
    twice = case("9", event("A")) if "twice" in problem else ""
    *_, bad = [item for item in read(tmp_path, log(twice, broken)) if isinstance(item, BadCase)]

    assert f"{problem}" in bad.problem
    expected = line + (1 if twice else 0)
    assert bad.where == f"line {expected}"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "empty"),
        ("<html/>", "root is <html>"),
        (log(case("1", event("A")))[:-40], "ends before </log>"),
        (log(case("1", event("A") + "<event>")), "broken: mismatched tag"),
        (log("<!-- \x01 -->"), "broken"),
        ('<!DOCTYPE log [<!ENTITY a "b">]><log>&a;</log>', "document type"),
        ('<!DOCTYPE log SYSTEM "http://localhost/x.dtd"><log/>', "document type"),
        ("<log>&undefined;</log>", "broken"),
        ('<?xml version="1.0" encoding="shift_jis"?><log/>', "encoding"),
        ('<?xml version="1.0" encoding="nonsense"?><log/>', "encoding"),
        (log("<a>" * 40), "nested more than"),
    ],
)
def test_broken_xml_is_refused_with_its_position(tmp_path: Path, content: str, problem: str) -> None:
    """Broken XML, a DTD or an unknown encoding raises `MalformedInput` with line, column and advice."""
    with pytest.raises(MalformedInput, match=r"line [\d,]+, column") as raised:
        read(tmp_path, content)
    assert problem in raised.value.problem
    assert raised.value.advice


def test_bytes_of_another_encoding_are_reported(tmp_path: Path) -> None:
    """A byte that does not belong to the declared encoding is reported with its value and line."""
    with pytest.raises(MalformedInput, match="0xe9 does not belong to the encoding") as raised:
        read(tmp_path, log(case("1"), case("café")).encode("latin-1"))
    assert raised.value.where.startswith("line 6, ")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "iso-8859-1", "windows-1252"])
def test_declared_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    """A log is read in the encoding that it declares."""
    declared = log(case("café", event("A"))).replace("UTF-8", encoding.removesuffix("-sig"))

    (case_,) = read(tmp_path, declared.encode(encoding))
    assert isinstance(case_, Parsed)
    assert case_.history["run_id"] == "orders/café"


def test_cases_before_the_break_are_read(tmp_path: Path) -> None:
    """The cases before the position where the XML is broken are yielded before the error."""
    file = tmp_path / "x.xes"
    file.write_text(log(case("1", event("A")), case("2", event("A")))[:-40])
    with Source(file) as source:
        stream = xes.read(source, "x", Options())
        first = next(stream)
        with pytest.raises(MalformedInput):
            next(stream)
    assert isinstance(first, Parsed)
    assert first.history["run_id"] == "x/1"


def test_truncated_or_damaged_gzip_is_refused(tmp_path: Path) -> None:
    """Truncated or damaged gzip raises `MalformedInput` with the byte where it is broken."""
    whole = gzip.compress(
        log(*(case(str(n), event("A", extra=attribute("n", f"{n * 7919}"))) for n in range(5000))).encode()
    )
    damaged = whole[:-8] + b"\xff\xff\xff\xff" + whole[-4:]
    for content, problem in [
        (whole[: len(whole) // 2], "cut off"),
        (damaged, "damaged"),
        (whole + b"junk", "damaged"),
    ]:
        file = tmp_path / "x.xes.gz"
        file.write_bytes(content)
        with Source(file) as source, pytest.raises(MalformedInput, match=r"byte [\d,]+") as raised:
            list(xes.read(source, "x", Options()))
        assert problem in raised.value.problem


def test_a_case_over_the_limit_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A case with more than `CASE_EVENTS` events is left out, and the next case is read."""
    monkeypatch.setattr(parser, "CASE_EVENTS", 10)
    bad, good = read(tmp_path, log(case("1", event("A") * 11), case("2", event("A") * 10)))

    assert isinstance(bad, BadCase)
    assert "more than 10 events" in bad.problem
    assert isinstance(good, Parsed)


def test_a_tag_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tag longer than `TAG_BYTES` is refused before it fills the memory."""
    monkeypatch.setattr(parser, "TAG_BYTES", 1_000_000)
    with pytest.raises(MalformedInput, match="One tag is longer"):
        read(tmp_path, log(case("1", event("A", extra=attribute("x", "y" * 3_000_000)))))


def test_values_over_the_limit_become_markers(tmp_path: Path) -> None:
    """Values over the size limit are replaced by markers with size, hash and first characters."""
    long = "y" * 300_000
    (case_,) = read(tmp_path, log(case("1", event("A", extra=attribute("outcome", long)))))

    assert isinstance(case_, Parsed)
    (decision,) = [step for step in case_.history["steps"] if step.get("key") == "decision.outcome"]
    completed = case_.history["steps"][-1]
    for value, limit in [(decision["value"], MAX_VALUE_BYTES), (completed["result"], MAX_PAYLOAD_BYTES)]:
        assert size(value) <= limit
    assert completed["result"]["outcome"] == {
        "truncated": True, "bytes": 300_000, "head": "y" * 1000,
        "sha256": hashlib.sha256(long.encode()).hexdigest(),
    }  # fmt: skip
    assert "values too large to store" in next(iter(case_.remarks))


def test_long_names_stay_distinct(tmp_path: Path) -> None:
    """Names over 200 characters are shortened to distinct ids; the input keeps the full name."""
    one, two = read(
        tmp_path, log(case("c" * 300 + "1", event("A" * 300)), case("c" * 300 + "2", event("A" * 300)))
    )

    assert isinstance(one, Parsed)
    assert isinstance(two, Parsed)
    ids = {one.history["run_id"], two.history["run_id"]}
    assert (len(ids), {len(run_id) for run_id in ids}) == (2, {200})
    assert one.history["input"] == {"concept:name": "c" * 300 + "1"}


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A directory, a missing file and a device raise `InputUnreadable`."""
    for path, problem in [
        (tmp_path, "directory"),
        (tmp_path / "none.xes", "no such file"),
        (Path("/dev/zero"), "regular"),
    ]:
        with pytest.raises(InputUnreadable, match=problem):
            Source(path)
