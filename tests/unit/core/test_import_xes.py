"""An event log becomes histories: cases runs, events stages, resources actors, recorded outcomes decisions."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from postil.importers import BadCase, InputUnreadable, MalformedInput, Options, Parsed, xes
from postil.importers.limits import BODY_LIMIT, VALUE_LIMIT, size
from postil.importers.source import Source
from postil.importers.xes import parser

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
T1, T2, T3 = (f"2026-01-0{day}T10:00:00+01:00" for day in (1, 2, 3))


def attribute(key: str, value: str, kind: str = "string", inside: str = "") -> str:
    return f'<{kind} key="{key}" value="{value}">{inside}</{kind}>'


def event(
    name: str | None, at: str | None = T1, extra: str = "", who: str | None = None, to: str | None = None
) -> str:
    return "<event>{}{}{}{}{}</event>\n".format(
        attribute("concept:name", name) if name else "",
        attribute("time:timestamp", at, "date") if at else "",
        attribute("org:resource", who) if who else "",
        attribute("lifecycle:transition", to) if to else "",
        extra,
    )


def case(name: str | None, *events: str, extra: str = "") -> str:
    return f"<trace>\n{attribute('concept:name', name) if name else ''}{extra}{''.join(events)}</trace>\n"


def log(*cases: str, header: str = "") -> str:
    return f'{HEAD}<log xes.version="1849-2016" xmlns="http://www.xes-standard.org/">\n{header}{"".join(cases)}</log>\n'


def read(tmp_path: Path, content: str | bytes, options: Options | None = None) -> list[Parsed | BadCase]:
    file = tmp_path / "orders.xes"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with Source(file, (".xes",)) as source:
        return list(xes.read(source, source.stem, options or Options()))


def only(tmp_path: Path, content: str, options: Options | None = None) -> dict[str, Any]:
    (found,) = read(tmp_path, content, options)
    assert isinstance(found, Parsed), found
    return dict(found.history)


def steps(history: dict[str, Any], *types: str) -> list[tuple[str, ...]]:
    """The steps in short: (type, stage id) or (key, value)."""
    return [
        (step["key"], step["value"]) if "key" in step else (step["type"], step["id"])
        for step in history["steps"]
        if not types or step["type"] in types
    ]


def test_a_case_is_a_run_named_after_the_log_and_the_case_with_its_original_times(tmp_path: Path) -> None:
    history = only(tmp_path, log(case("o 1", event("Pack", T1, who="ada"), event("Ship", T3))))

    assert history["run_id"] == "orders/o 1"
    assert (history["recorded_at"], history["ended_at"]) == (T1, T3)
    assert history["status"] == "completed"
    assert history["input"] == {"concept:name": "o 1"}


def test_a_completed_activity_is_a_stage_begun_and_ended_at_its_time_by_its_resource(tmp_path: Path) -> None:
    history = only(tmp_path, log(case("1", event("Pack", T1, who="ada"))))

    ada = {"kind": "user", "id": "ada"}
    assert history["steps"] == [
        {"type": "stage:started", "id": "Pack", "name": "Pack", "at": T1, "actor": ada},
        {"type": "stage:completed", "id": "Pack", "name": "Pack", "at": T1, "actor": ada},
    ]


def test_a_repeated_activity_is_a_stage_of_its_own_even_if_its_name_looks_numbered(tmp_path: Path) -> None:
    history = only(tmp_path, log(case("1", event("A"), event("A~2"), event("A"), event("A"))))

    assert [name for kind, name in steps(history) if kind == "stage:started"] == ["A", "A~2", "A~3", "A~4"]


def test_a_start_is_paired_with_the_next_end_of_its_activity_and_instance(tmp_path: Path) -> None:
    one, two = attribute("concept:instance", "1"), attribute("concept:instance", "2")
    history = only(
        tmp_path,
        log(case("1", event("A", T1, one, to="start"), event("A", T1, two, to="start"),
                 event("A", T2, two, to="complete"), event("A", T3, one, to="ate_abort"))),
    )  # fmt: skip

    assert steps(history, "stage:started", "stage:completed", "stage:failed") == [
        ("stage:started", "A"), ("stage:started", "A~2"), ("stage:completed", "A~2"), ("stage:failed", "A"),
    ]  # fmt: skip


def test_scheduling_suspending_and_resuming_are_noted_on_the_stage(tmp_path: Path) -> None:
    moves = ["schedule", "start", "suspend", "resume", "complete"]
    history = only(tmp_path, log(case("1", *(event("A", T1, to=move) for move in moves))))

    assert steps(history) == [
        ("xes.event", {"lifecycle:transition": "schedule"}), ("stage:started", "A"),
        ("xes.event", {"lifecycle:transition": "suspend"}), ("xes.event", {"lifecycle:transition": "resume"}),
        ("stage:completed", "A"),
    ]  # fmt: skip
    assert [step.get("stage_id", step.get("scope_id")) for step in history["steps"] if "key" in step] == [
        "A"
    ] * 3


def test_a_stage_without_an_end_stays_open_and_is_told(tmp_path: Path) -> None:
    (found,) = read(tmp_path, log(case("1", event("A", to="start"))))

    assert isinstance(found, Parsed)
    assert found.notes == {"stages that began and of which the log knows no end": 1}
    assert steps(dict(found.history)) == [("stage:started", "A")]


def test_every_type_of_value_is_kept_and_named_where_json_cannot_tell_it(tmp_path: Path) -> None:
    values = "".join([
        attribute("s", "x"), attribute("i", "-7", "int"), attribute("f", "1.5", "float"), attribute("n", "NaN", "float"),
        attribute("b", "true", "boolean"), attribute("d", T1, "date"), attribute("u", "4-5", "id"),
        attribute("m", "1", inside=attribute("deep", "2", "int")),
        '<list key="l"><values>' + attribute("p", "1") + attribute("p", "2") + "</values></list>",
        '<container key="c">' + attribute("q", "3", "int") + "</container>",
        attribute("r", "1"), attribute("r", T1, "date"),
    ])  # fmt: skip
    history = only(tmp_path, log(case("1", event("A", extra=values))))

    assert history["steps"][-1]["result"] == {
        "s": "x", "i": -7, "f": 1.5, "n": "NaN", "b": True, "d": T1, "u": "4-5", "m": {"@value": "1", "deep": 2},
        "l": [{"p": "1"}, {"p": "2"}], "c": {"q": 3}, "r": ["1", T1],
        "@types": {"n": "float", "d": "date", "u": "id", "c": "container", "r": [None, "date"]},
    }  # fmt: skip


def test_what_all_events_of_a_case_repeat_is_said_once_and_a_change_is_an_annotation(tmp_path: Path) -> None:
    history = only(
        tmp_path,
        log(case("1", *(event(name, T1, attribute("product", "p") + attribute("level", level))
                        for name, level in [("A", "1"), ("B", "1"), ("C", "1"), ("D", "2")]))),
    )  # fmt: skip

    assert history["input"]["@every_event"] == {"product": "p"}
    assert steps(history, "annotation:created") == [("xes.level", "1"), ("xes.level", "2")]
    assert [step["result"] for step in history["steps"] if step["type"] == "stage:completed"] == [
        {"level": "1"}, {"level": "1"}, {"level": "1"}, {"level": "2"},
    ]  # fmt: skip


def test_a_value_that_is_new_at_each_event_is_a_measurement_and_no_annotation(tmp_path: Path) -> None:
    history = only(
        tmp_path, log(case("1", *(event("A", T1, attribute("ms", str(n), "int")) for n in range(6))))
    )

    assert steps(history, "annotation:created") == []


def test_case_attributes_are_input_and_those_one_counts_by_are_annotations(tmp_path: Path) -> None:
    extra = attribute("channel", "Desk") + attribute("deadline", T3, "date") + attribute("org:group", "g")
    history = only(tmp_path, log(case("1", event("A"), extra=extra)))

    assert history["input"] == {
        "concept:name": "1", "channel": "Desk", "deadline": T3, "org:group": "g", "@types": {"deadline": "date"},
    }  # fmt: skip
    assert steps(history, "annotation:created") == [("xes.channel", "Desk")]


@pytest.mark.parametrize(
    ("name", "extra", "outcome"),
    [
        ("Check", attribute("outcome", "approved"), "approved"),
        ("Check", attribute("Accepted", "true", "boolean"), "true"),
        ("Assign seriousness", attribute("seriousness_2", "high"), "high"),
        ("DUPLICATE", "", "DUPLICATE"),
        ("Closed", "", "Closed"),
    ],
)
def test_a_recorded_outcome_is_a_decision_of_who_recorded_it(
    tmp_path: Path, name: str, extra: str, outcome: str
) -> None:
    history = only(tmp_path, log(case("1", event(name, T1, extra, who="ada"))))

    (decision,) = [step for step in history["steps"] if step.get("key") == "decision.outcome"]
    assert (decision["value"], decision["actor"]["id"], decision["stage_id"]) == (outcome, "ada", name)


@pytest.mark.parametrize("name", ["Resolve ticket", "T06 Determine necessity of stop advice", "Close"])
def test_an_activity_that_states_no_outcome_decides_nothing(tmp_path: Path, name: str) -> None:
    history = only(tmp_path, log(case("1", event(name, extra=attribute("workgroup", "w")))))

    assert [key for key, _ in steps(history) if key.startswith("decision.")] == []


def test_a_reason_and_a_confidence_belong_to_the_decision_beside_them(tmp_path: Path) -> None:
    extra = attribute("result", "no") + attribute("reason", "late") + attribute("confidence", "0.9", "float")
    history = only(tmp_path, log(case("1", event("Check", extra=extra))))

    decided = [step for step in history["steps"] if step.get("key", "").startswith("decision.")]
    assert {step["key"]: step["value"] for step in decided} == {
        "decision.outcome": "no", "decision.rationale": "late", "decision.confidence": 0.9,
    }  # fmt: skip
    assert len({step["group"] for step in decided}) == 1


def test_a_resource_the_log_declares_as_its_default_is_nobody(tmp_path: Path) -> None:
    header = f'<global scope="event">{attribute("org:resource", "UNKNOWN")}</global>'
    history = only(tmp_path, log(case("1", event("A", who="UNKNOWN")), header=header))

    assert "actor" not in history["steps"][0]
    assert history["steps"][-1]["result"] == {"org:resource": "UNKNOWN"}


def test_a_classifier_names_events_that_have_no_name(tmp_path: Path) -> None:
    header = '<classifier name="Activity" keys="code phase"/>'
    history = only(
        tmp_path,
        log(case("1", event(None, extra=attribute("code", "7") + attribute("phase", "b"))), header=header),
    )

    assert steps(history)[0] == ("stage:started", "7+b")


def test_an_event_without_a_time_takes_its_neighbours_and_the_reader_is_told(tmp_path: Path) -> None:
    (found,) = read(tmp_path, log(case("1", event("A", None), event("B", T2), event("C", None))))

    assert isinstance(found, Parsed)
    assert {step["at"] for step in found.history["steps"]} == {T2}
    assert found.notes == {"events without a time (that of their neighbour was taken)": 2}


def test_a_case_without_any_time_has_none(tmp_path: Path) -> None:
    history = only(tmp_path, log(case("1", event("A", None))))

    assert "recorded_at" not in history
    assert all("at" not in step for step in history["steps"])


def test_a_time_without_a_zone_is_refused_unless_the_user_names_one(tmp_path: Path) -> None:
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
def test_an_absurd_date_keeps_its_case_out_and_only_it(tmp_path: Path, date: str) -> None:
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
        (case("9", event("A")), 5, "in the file twice; it was first at line 3"),
    ],
)
def test_a_bad_case_is_named_with_its_line_and_left_out(
    tmp_path: Path, broken: str, line: int, problem: str
) -> None:
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
    with pytest.raises(MalformedInput, match=r"line [\d,]+, column") as refused:
        read(tmp_path, content)
    assert problem in refused.value.problem
    assert refused.value.advice


def test_bytes_that_are_not_of_the_declared_encoding_are_named(tmp_path: Path) -> None:
    with pytest.raises(MalformedInput, match="0xe9 does not belong to the encoding") as refused:
        read(tmp_path, log(case("1"), case("café")).encode("latin-1"))
    assert refused.value.where.startswith("line 6, ")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "iso-8859-1", "windows-1252"])
def test_every_declared_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    declared = log(case("café", event("A"))).replace("UTF-8", encoding.removesuffix("-sig"))

    (found,) = read(tmp_path, declared.encode(encoding))
    assert isinstance(found, Parsed)
    assert found.history["run_id"] == "orders/café"


def test_what_stands_before_the_break_is_read(tmp_path: Path) -> None:
    file = tmp_path / "x.xes"
    file.write_text(log(case("1", event("A")), case("2", event("A")))[:-40])
    with Source(file) as source:
        stream = xes.read(source, "x", Options())
        first = next(stream)
        with pytest.raises(MalformedInput):
            next(stream)
    assert isinstance(first, Parsed)
    assert first.history["run_id"] == "x/1"


def test_a_cut_off_or_damaged_gzip_is_refused_with_its_byte(tmp_path: Path) -> None:
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
        with Source(file) as source, pytest.raises(MalformedInput, match=r"byte [\d,]+") as refused:
            list(xes.read(source, "x", Options()))
        assert problem in refused.value.problem


def test_a_case_too_large_to_be_one_run_is_left_out_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parser, "CASE_EVENTS", 10)
    bad, good = read(tmp_path, log(case("1", event("A") * 11), case("2", event("A") * 10)))

    assert isinstance(bad, BadCase)
    assert "more than 10 events" in bad.problem
    assert isinstance(good, Parsed)


def test_one_enormous_tag_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "TAG_BYTES", 1_000_000)
    with pytest.raises(MalformedInput, match="One tag is longer"):
        read(tmp_path, log(case("1", event("A", extra=attribute("x", "y" * 3_000_000)))))


def test_what_is_too_large_to_store_is_replaced_by_a_marker_that_says_so(tmp_path: Path) -> None:
    long = "y" * 300_000
    (found,) = read(tmp_path, log(case("1", event("A", extra=attribute("outcome", long)))))

    assert isinstance(found, Parsed)
    (decision,) = [step for step in found.history["steps"] if step.get("key") == "decision.outcome"]
    completed = found.history["steps"][-1]
    for value, limit in [(decision["value"], VALUE_LIMIT), (completed["result"], BODY_LIMIT)]:
        assert size(value) <= limit
    assert completed["result"]["outcome"] == {
        "truncated": True, "bytes": 300_000, "head": "y" * 1000,
        "sha256": hashlib.sha256(long.encode()).hexdigest(),
    }  # fmt: skip
    assert "values too large to store" in next(iter(found.notes))


def test_names_that_are_too_long_stay_distinct(tmp_path: Path) -> None:
    one, two = read(
        tmp_path, log(case("c" * 300 + "1", event("A" * 300)), case("c" * 300 + "2", event("A" * 300)))
    )

    assert isinstance(one, Parsed)
    assert isinstance(two, Parsed)
    ids = {one.history["run_id"], two.history["run_id"]}
    assert (len(ids), {len(found) for found in ids}) == (2, {200})
    assert one.history["input"] == {"concept:name": "c" * 300 + "1"}


def test_a_directory_a_missing_file_and_a_device_are_no_input(tmp_path: Path) -> None:
    for path, problem in [
        (tmp_path, "directory"),
        (tmp_path / "none.xes", "no such file"),
        (Path("/dev/zero"), "regular"),
    ]:
        with pytest.raises(InputUnreadable, match=problem):
            Source(path)
