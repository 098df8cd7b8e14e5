"""`postil verify` on real Postgres and Kafka: its verdict where the three copies agree, are late or cannot be read."""

from __future__ import annotations

import json

import pytest

from fixtures.manual_pipeline import ANNOTATIONS, EVENTS, RUNS, ManualPipeline, kinds
from postil.errors import PostilError
from postil.settings import Settings
from postil_consumers.verify.verification import verify


def test_three_equal_copies_are_sound(complete: ManualPipeline) -> None:
    """Equal copies in Postgres, Kafka and the audit log are sound, and the report counts the events of each."""
    report = complete.verify()

    assert (report.verdict, report.exit_code) == ("sound", 0)
    assert (report.runs, report.events, report.messages, report.recorded) == (RUNS, EVENTS, EVENTS, EVENTS)
    assert "postgres = kafka = audit log" in "\n".join(report.lines())


def test_events_written_during_the_check_are_no_finding(complete: ManualPipeline) -> None:
    """Events that are committed and published between the reads of Postgres and Kafka are not reported."""
    new_runs = iter(["newer"])

    def step(what: str, _total: int | None, _more: int) -> None:
        if what == "postgres" and (run := next(new_runs, None)):
            complete.record(run)
            complete.publish([event for event in complete.log() if event[0] == f"default/{run}"])

    report = verify(complete.settings, wait=0, step=step)

    assert (report.verdict, report.events, report.duplicates) == ("sound", EVENTS, 0)


def test_unpublished_events_are_late_and_not_wrong(complete: ManualPipeline) -> None:
    """Events that the relay has not published yet are inconclusive, not findings, and the exit code is 2."""
    complete.record("late")

    report = complete.verify()

    assert (
        report.verdict,
        report.exit_code,
        kinds(report.inconclusive),
    ) == ("inconclusive", 2, {"unpublished": ANNOTATIONS + 2})


def test_unread_events_are_late_and_not_wrong(complete: ManualPipeline) -> None:
    """Events that the audit log has not read yet are inconclusive, not findings, and the exit code is 2."""
    complete.record("late")
    complete.publish([event for event in complete.log() if event[0] == "default/late"])
    complete.checkpoint()

    report = complete.verify()

    assert (
        report.exit_code,
        kinds(report.inconclusive),
        report.messages,
    ) == (2, {"lag": ANNOTATIONS + 2}, EVENTS + ANNOTATIONS + 2)


def test_a_missing_audit_log_is_an_error_with_advice(pipeline: ManualPipeline) -> None:
    """Without an audit log the check raises an error with exit code 2 and the command to start."""
    with pytest.raises(PostilError) as raised:
        pipeline.verify()

    assert (raised.value.exit_code, "postil consume audit" in raised.value.advice) == (2, True)


@pytest.mark.parametrize(
    "setting",
    [
        {"database_url": "postgresql://user@127.0.0.1:1/none"},
        {"kafka_bootstrap_servers": "127.0.0.1:1"},
        {"kafka_topic": "no.such.topic"},
    ],
)
def test_an_unreachable_copy_is_not_reported_as_wrong(
    complete: ManualPipeline, setting: dict[str, str]
) -> None:
    """An unreachable database or broker, or an unknown topic, raises an error with exit code 2 and advice."""
    settings = Settings(**{**complete.settings.model_dump(), **setting})

    with pytest.raises(PostilError) as raised:
        verify(settings, wait=0)

    assert (raised.value.exit_code, bool(raised.value.advice)) == (2, True)


def test_the_report_as_data_lists_findings_with_places(complete: ManualPipeline) -> None:
    """`as_dict` holds the verdict, the number of findings and the run of each."""
    complete.tamper("delete from postil.annotation where run_id = 'run-3' and run_seq = 3")

    data = json.loads(json.dumps(complete.verify().as_dict()))

    assert (
        data["verdict"],
        data["findings"]["count"],
        data["findings"]["listed"][0]["run"],
    ) == ("wrong", 1, "default/run-3")
