"""`postil verify` after messages were lost, repeated, forged or held back on their way to Kafka."""

from __future__ import annotations

from fixtures.manual_pipeline import ANNOTATIONS, EVENTS, ManualPipeline, kinds, places


def test_duplicates_in_kafka_are_counted_and_sound(pipeline: ManualPipeline) -> None:
    """Events that a relay published twice are counted as duplicates, and the copies are sound."""
    log = pipeline.log()
    pipeline.publish(log[:5] + log[2:5] + log[2:])
    pipeline.checkpoint()
    pipeline.audit()

    report = pipeline.verify()

    assert (report.verdict, report.duplicates) == ("sound", 6)


def test_a_published_event_absent_from_kafka_is_missing(pipeline: ManualPipeline) -> None:
    """An event that the relay counts as published and that Kafka lacks is missing."""
    pipeline.publish([event for event in pipeline.log() if event[:2] != ("default/run-3", ANNOTATIONS + 2)])
    pipeline.checkpoint()
    pipeline.audit()

    report = pipeline.verify()

    assert places(report.findings) == [("kafka", "default/run-3", ANNOTATIONS + 2)]
    assert report.messages == EVENTS - 1


def test_a_gap_in_kafka_is_wrong_before_the_checkpoint(pipeline: ManualPipeline) -> None:
    """A gap inside a run in Kafka is missing even before the relay records the run as published."""
    pipeline.publish([event for event in pipeline.log() if event[:2] != ("default/run-3", 3)])
    pipeline.audit()

    report = pipeline.verify()

    assert kinds(report.findings) == {"missing": 1, "run_seq": 1}, "in Kafka, and as a gap in the audit log"
    assert ("kafka", "default/run-3", 3) in places(report.findings)


def test_a_run_out_of_order_is_reported_with_its_offset(pipeline: ManualPipeline) -> None:
    """A run out of order in Kafka is reported with its run, partition and offset."""
    log = pipeline.log()
    indexes = [n for n, event in enumerate(log) if event[0] == "default/run-3"]
    log[indexes[1]], log[indexes[2]] = log[indexes[2]], log[indexes[1]]
    pipeline.publish(log)
    pipeline.checkpoint()
    pipeline.audit()

    findings_by_copy = {
        finding.place["copy"]: finding for finding in pipeline.verify().findings if finding.kind == "order"
    }

    assert (findings_by_copy["kafka"].what, findings_by_copy["kafka"].place["run"]) == (
        "run_seq 2 comes after 3",
        "default/run-3",
    )
    assert {"partition", "offset"} <= set(findings_by_copy["kafka"].place)


def test_a_forged_event_in_kafka_is_reported(complete: ManualPipeline) -> None:
    """An event that only Kafka holds is reported and not taken for an event written during the check."""
    run, run_seq, value = complete.log()[-1]
    forged = value.replace(f'"runseq":{run_seq}'.encode(), f'"runseq":{run_seq + 1}'.encode())
    complete.publish([(run, run_seq + 1, forged)])

    assert places(complete.verify().findings) == [("kafka", run, run_seq + 1)]


def test_different_bytes_in_kafka_are_reported(complete: ManualPipeline) -> None:
    """A message in Kafka whose bytes differ from its event is reported with its run and run_seq."""
    run, run_seq, value = complete.log()[3]
    complete.publish([(run, run_seq, value.replace(b'"attempt":1', b'"attempt":2'))])

    (finding,) = complete.verify().findings

    assert (
        finding.kind,
        *(finding.place[name] for name in ("run", "run_seq", "copy")),
    ) == ("bytes", run, run_seq, "kafka")


def test_a_parked_run_is_wrong_with_its_reason(complete: ManualPipeline) -> None:
    """The unpublished events of a parked run are findings with the reason that parked it."""
    complete.record("parked")
    complete.database.execute("""
        insert into postil.parked_run (tenant, run_id, lane, run_seq, event_id, reason)
        select tenant, run_id, lane, run_seq, event_id, 'too large' from postil.event
        where run_id = 'parked' and run_seq = 3""")
    complete.publish([event for event in complete.log() if event[0] == "default/parked"][:2])
    complete.checkpoint()

    report = complete.verify()

    assert kinds(report.findings) == {"parked": ANNOTATIONS}
    assert "too large" in str(next(iter(report.findings)))


def test_an_unknown_message_is_noted_and_not_wrong(complete: ManualPipeline) -> None:
    """A message that is not an event is noted, and the copies are sound."""
    complete.publish([("default/run-1", 0, b"not an event")])

    report = complete.verify()

    assert (report.verdict, kinds(report.remarks)) == ("sound", {"unknown message": 1})
