"""The mapping of an event log: cases become runs, events stages, resources actors, recorded outcomes decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fixtures.event_logs import T1, T2, T3, attribute, case, event, log, read
from postil.importers import Options, Parsed


def only(tmp_path: Path, content: str, options: Options | None = None) -> dict[str, Any]:
    (case_,) = read(tmp_path, content, options)
    assert isinstance(case_, Parsed), case_
    return dict(case_.history)


def steps(history: dict[str, Any], *types: str) -> list[tuple[str, ...]]:
    """The steps in short: (type, stage id) or (key, value)."""
    return [
        (step["key"], step["value"]) if "key" in step else (step["type"], step["id"])
        for step in history["steps"]
        if not types or step["type"] in types
    ]


def test_a_case_becomes_a_run_with_its_original_times(tmp_path: Path) -> None:
    """A case becomes a run whose id is log/case and whose times are those of its events."""
    history = only(tmp_path, log(case("o 1", event("Pack", T1, who="ada"), event("Ship", T3))))

    assert history["run_id"] == "orders/o 1"
    assert (history["recorded_at"], history["ended_at"]) == (T1, T3)
    assert history["status"] == "completed"
    assert history["input"] == {"concept:name": "o 1"}


def test_a_completed_activity_becomes_a_stage(tmp_path: Path) -> None:
    """A completion becomes a stage that starts and ends at its time, with the resource as actor."""
    history = only(tmp_path, log(case("1", event("Pack", T1, who="ada"))))

    ada = {"kind": "user", "id": "ada"}
    assert history["steps"] == [
        {"type": "stage:started", "id": "Pack", "name": "Pack", "at": T1, "actor": ada},
        {"type": "stage:completed", "id": "Pack", "name": "Pack", "at": T1, "actor": ada},
    ]


def test_a_repeated_activity_becomes_a_separate_stage(tmp_path: Path) -> None:
    """Repetitions get distinct stage ids, also if an activity's name looks like such an id."""
    history = only(tmp_path, log(case("1", event("A"), event("A~2"), event("A"), event("A"))))

    assert [name for kind, name in steps(history) if kind == "stage:started"] == ["A", "A~2", "A~3", "A~4"]


def test_a_start_is_paired_with_the_end_of_its_instance(tmp_path: Path) -> None:
    """A start is paired with the next end of the same activity and instance."""
    one, two = attribute("concept:instance", "1"), attribute("concept:instance", "2")
    history = only(
        tmp_path,
        log(case("1", event("A", T1, one, to="start"), event("A", T1, two, to="start"),
                 event("A", T2, two, to="complete"), event("A", T3, one, to="ate_abort"))),
    )  # fmt: skip

    assert steps(history, "stage:started", "stage:completed", "stage:failed") == [
        ("stage:started", "A"), ("stage:started", "A~2"), ("stage:completed", "A~2"), ("stage:failed", "A"),
    ]  # fmt: skip


def test_other_transitions_become_annotations(tmp_path: Path) -> None:
    """Scheduling, suspending and resuming become annotations of the stage."""
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


def test_a_stage_without_an_end_stays_open(tmp_path: Path) -> None:
    """A start without an end leaves the stage open and adds a remark to the report."""
    (case_,) = read(tmp_path, log(case("1", event("A", to="start"))))

    assert isinstance(case_, Parsed)
    assert case_.remarks == {"stages that started and have no end in the log": 1}
    assert steps(dict(case_.history)) == [("stage:started", "A")]


def test_every_attribute_type_is_kept(tmp_path: Path) -> None:
    """Every XES type is kept as JSON, with `@types` for the types that JSON does not show."""
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


def test_repeated_attributes_are_stored_once(tmp_path: Path) -> None:
    """Attributes that all events repeat are stored once in the input; rare changes become annotations."""
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


def test_a_measurement_is_not_annotated(tmp_path: Path) -> None:
    """A value that changes at every event is a measurement and does not become an annotation."""
    history = only(
        tmp_path, log(case("1", *(event("A", T1, attribute("ms", str(n), "int")) for n in range(6))))
    )

    assert steps(history, "annotation:created") == []


def test_case_attributes_are_input_and_annotations(tmp_path: Path) -> None:
    """All attributes of a case are in the input; plain texts and booleans of the log also become annotations."""
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
def test_a_recorded_outcome_becomes_a_decision(tmp_path: Path, name: str, extra: str, outcome: str) -> None:
    """An outcome in an attribute or activity becomes a decision of the event's actor in its stage."""
    history = only(tmp_path, log(case("1", event(name, T1, extra, who="ada"))))

    (decision,) = [step for step in history["steps"] if step.get("key") == "decision.outcome"]
    assert (decision["value"], decision["actor"]["id"], decision["stage_id"]) == (outcome, "ada", name)


@pytest.mark.parametrize("name", ["Resolve ticket", "T06 Determine necessity of stop advice", "Close"])
def test_an_activity_without_an_outcome_is_no_decision(tmp_path: Path, name: str) -> None:
    """An activity that names no outcome does not become a decision."""
    history = only(tmp_path, log(case("1", event(name, extra=attribute("workgroup", "w")))))

    assert [key for key, _ in steps(history) if key.startswith("decision.")] == []


def test_reason_and_confidence_belong_to_the_decision(tmp_path: Path) -> None:
    """A reason and a confidence in the same event belong to the group of its decision."""
    extra = attribute("result", "no") + attribute("reason", "late") + attribute("confidence", "0.9", "float")
    history = only(tmp_path, log(case("1", event("Check", extra=extra))))

    decided = [step for step in history["steps"] if step.get("key", "").startswith("decision.")]
    assert {step["key"]: step["value"] for step in decided} == {
        "decision.outcome": "no", "decision.rationale": "late", "decision.confidence": 0.9,
    }  # fmt: skip
    assert len({step["group"] for step in decided}) == 1


def test_the_default_resource_is_not_an_actor(tmp_path: Path) -> None:
    """The resource that the log declares as default is kept as a value and is not an actor."""
    header = f'<global scope="event">{attribute("org:resource", "UNKNOWN")}</global>'
    history = only(tmp_path, log(case("1", event("A", who="UNKNOWN")), header=header))

    assert "actor" not in history["steps"][0]
    assert history["steps"][-1]["result"] == {"org:resource": "UNKNOWN"}


def test_a_classifier_names_events_without_a_name(tmp_path: Path) -> None:
    """An event without a name gets the joined values of the log's classifier."""
    header = '<classifier name="Activity" keys="code phase"/>'
    history = only(
        tmp_path,
        log(case("1", event(None, extra=attribute("code", "7") + attribute("phase", "b"))), header=header),
    )

    assert steps(history)[0] == ("stage:started", "7+b")


def test_an_event_without_a_time_uses_its_neighbours(tmp_path: Path) -> None:
    """An event without a time gets that of its neighbour, and the report has a remark."""
    (case_,) = read(tmp_path, log(case("1", event("A", None), event("B", T2), event("C", None))))

    assert isinstance(case_, Parsed)
    assert {step["at"] for step in case_.history["steps"]} == {T2}
    assert case_.remarks == {"events without a time (the time of a neighbour was used)": 2}


def test_a_case_without_times_has_no_times(tmp_path: Path) -> None:
    """A case without any time leads to a history without times."""
    history = only(tmp_path, log(case("1", event("A", None))))

    assert "recorded_at" not in history
    assert all("at" not in step for step in history["steps"])
