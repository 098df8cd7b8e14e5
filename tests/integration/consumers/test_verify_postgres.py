"""`postil verify` after a superuser changed the tables in Postgres."""

from __future__ import annotations

from fixtures.manual_pipeline import ANNOTATIONS, ManualPipeline, kinds, places


def test_an_event_deleted_from_the_event_log_is_reported(complete: ManualPipeline) -> None:
    """An event deleted from the event log is a gap there and unexpected in Kafka and the audit log."""
    complete.tamper("delete from postil.event where run_id = 'run-3' and run_seq = 4")

    report = complete.verify()

    assert kinds(report.findings) == {"run_seq": 1, "annotation": 1, "forged": 2}
    assert "missing: 4" in str(next(iter(report.findings)))
    assert {("kafka", "default/run-3", 4), ("audit log", "default/run-3", 4)} <= set(places(report.findings))


def test_a_deleted_last_event_is_reported_by_the_run_head(complete: ManualPipeline) -> None:
    """The deleted last event of a run is reported, because the run's row holds its last run_seq."""
    complete.tamper(f"delete from postil.event where run_id = 'run-3' and run_seq = {ANNOTATIONS + 2}")

    assert kinds(complete.verify().findings) == {"run_seq": 1, "forged": 2}


def test_an_altered_event_differs_from_the_other_copies(complete: ManualPipeline) -> None:
    """A value altered in the event log differs from its annotation, from Kafka and from the audit log."""
    complete.tamper("""
        update postil.event set data = jsonb_set(data, '{value}', '"other"') where run_id = 'run-3' and run_seq = 3""")

    report = complete.verify()

    assert kinds(report.findings) == {"annotation": 1, "bytes": 2}
    assert {str(run) for _, run, _ in places(report.findings)} == {"default/run-3"}


def test_an_altered_annotation_differs_from_its_event(complete: ManualPipeline) -> None:
    """A value altered in an annotation is the only finding, with its run and run_seq."""
    complete.tamper("update postil.annotation set value = '7' where run_id = 'run-3' and run_seq = 3")

    report = complete.verify()

    assert (places(report.findings), report.exit_code) == ([("postgres", "default/run-3", 3)], 1)
    assert "differ in the value" in str(next(iter(report.findings)))


def test_a_deleted_annotation_is_reported_by_its_event(complete: ManualPipeline) -> None:
    """An event whose annotation was deleted is the only finding."""
    complete.tamper("delete from postil.annotation where run_id = 'run-3' and run_seq = 3")

    (finding,) = complete.verify().findings

    assert "has no annotation" in finding.what


def test_an_inserted_annotation_is_reported_without_event(complete: ManualPipeline) -> None:
    """An annotation inserted without Postil's functions is the only finding, because it has no event."""
    complete.tamper("""
        insert into postil.annotation (tenant, run_id, run_seq, attempt, group_id, scope, key, value, recorded_at)
        values ('default', 'run-3', 99, 1, gen_random_uuid(), 'run', 'k', '1', now())""")

    (finding,) = complete.verify().findings

    assert "has no annotation:created event" in finding.what
