"""`postil verify` after the files of the audit log were changed or lack a record."""

from __future__ import annotations

from fixtures.manual_pipeline import ManualPipeline, kinds, places


def test_a_record_the_audit_log_skipped_is_missing(pipeline: ManualPipeline) -> None:
    """A record absent from the audit log is missing once the log has read beyond its offset."""
    pipeline.publish(pipeline.log())
    pipeline.checkpoint()
    pipeline.audit(keep=lambda item: (item.event.run, item.event.run_seq) != ("default/run-3", 2))

    report = pipeline.verify()

    assert ("audit log", "default/run-3", 2) in places(report.findings)
    assert kinds(report.findings) == {"missing": 1, "run_seq": 1}


def test_an_altered_record_is_reported_by_the_logs_hashes(complete: ManualPipeline) -> None:
    """A record altered in the audit log is reported, because its hashes no longer match."""
    segment = next(next(complete.logs()).glob("0*.ndjson"))
    segment.write_bytes(segment.read_bytes().replace(b'"review"', b'"revuew"', 1))

    report = complete.verify()

    assert "the record was altered" in [finding.what for finding in report.findings]


def test_a_rewritten_audit_log_disagrees_with_kafka(complete: ManualPipeline) -> None:
    """An event forged in Postgres and in a rewritten audit log, whose hashes are valid, differs from Kafka."""
    complete.tamper(
        "update postil.event set data = data || '{\"forged\": true}' where run_id = 'run-3' and run_seq = 1"
    )
    for log in complete.settings.audit_path.iterdir():
        if log.is_dir():
            for path in log.iterdir():
                path.unlink()
    complete.audit()

    assert kinds(complete.verify().findings) == {"bytes": 1}, "only Kafka still has the original event"
