"""`postil verify` on real Postgres and Kafka: sound where all agree, and never where anything was damaged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import Producer

from postil.errors import PostilError
from postil.model.envelope import identify
from postil.settings import Settings
from postil_consumers.audit.sink import AuditSink, log_directory
from postil_consumers.audit.verify.findings import Findings
from postil_consumers.runtime.sink import Partition, Record
from postil_consumers.verify.report import Report
from postil_consumers.verify.topic import TopicReader
from postil_consumers.verify.verification import verify

RUNS, NOTES = 8, 4
EVENTS = RUNS * (NOTES + 2)
WHEN = "2026-01-02T03:04:05Z"

Published = tuple[str, int, bytes]


def history(run: str) -> dict[str, object]:
    notes = [
        {
            "type": "annotation:created",
            "at": WHEN,
            "key": f"note.n{n}",
            "value": {"n": n, "é": "ü\n"},
            "scope": "run",
        }
        for n in range(NOTES)
    ]
    return {
        "run_id": run,
        "name": "review",
        "status": "completed",
        "recorded_at": WHEN,
        "started_at": WHEN,
        "ended_at": WHEN,
        "trigger": {"source": "api", "action": "trigger"},
        "steps": notes,
    }


class World:
    """Postgres with some runs, and what is done to carry them on: by hand, so that each step can be got wrong."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = psycopg.connect(settings.require_database_url(), autocommit=True)
        self._producer = Producer(
            {**settings.kafka_client(), "partitioner": "murmur2_random", "linger.ms": 0}
        )

    def record(self, *runs: str) -> None:
        histories = json.dumps([history(run) for run in runs])
        self.database.execute("select count(*) from postil.record_runs('default', %s::jsonb)", [histories])

    def log(self) -> list[Published]:
        rows = self.database.execute(
            "select tenant || '/' || run_id, run_seq, postil.envelope(e) from postil.event e order by position"
        )
        return [(run, run_seq, value.encode()) for run, run_seq, value in rows]

    def publish(self, events: list[Published]) -> None:
        for run, _, value in events:
            self._producer.produce(self.settings.kafka_topic, value, run.encode())
        assert self._producer.flush(30) == 0

    def checkpoint(self) -> None:
        """The relay's word that all of the log is published."""
        self.database.execute("update postil.relay_lane set lo = pg_current_snapshot()")

    def tamper(self, statement: str) -> None:
        """As a superuser who switches off what guards the tables."""
        tables = self.database.execute("""
            select oid::regclass::text from pg_class
            where relnamespace = 'postil'::regnamespace and relkind in ('r', 'p')""").fetchall()
        for (table,) in tables:
            self.database.execute(f"alter table {table} disable trigger all")
        self.database.execute(statement)

    def audit(self, keep: Callable[[Record], bool] = lambda _: True) -> None:
        """Write the audit log from the topic's messages, in Kafka's order, each event once."""
        with TopicReader(self.settings.kafka_client(), self.settings.kafka_topic) as topic:
            places = {
                (run, run_seq): (partition, offset)
                for events, _ in topic.read()
                for run, run_seq, _, partition, offset in reversed(events)
            }
            ends = dict(topic.next)
        values = {(run, run_seq): value for run, run_seq, value in self.log()}
        sink = AuditSink(self.settings.audit_path)
        for number, end in ends.items():
            partition = Partition(self.settings.kafka_topic, number)
            sink.open(partition)
            there = sorted((o, event) for event, (n, o) in places.items() if n == number and event in values)
            items = [Record(offset, identify(values[event])) for offset, event in there]
            sink.deliver(partition, [item for item in items if keep(item)], end)
        sink.shutdown()

    def logs(self) -> Iterator[Path]:
        for number in range(6):
            directory = log_directory(self.settings.audit_path, self.settings.kafka_topic, number)
            if any(path.stat().st_size for path in directory.glob("0*.ndjson")):
                yield directory

    def verify(self) -> Report:
        return verify(self.settings, wait=0)


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """Eight runs in Postgres, not carried anywhere yet."""
    found = World(settings)
    found.record(*(f"run-{n}" for n in range(RUNS)))
    yield found
    found.database.close()


@pytest.fixture
def carried(world: World) -> World:
    """The same, in Kafka and in the audit log as well."""
    world.publish(world.log())
    world.checkpoint()
    world.audit()
    return world


def kinds(findings: Findings) -> dict[str, int]:
    return dict(findings.counts)


def places(findings: Findings) -> list[tuple[object, ...]]:
    return [tuple(found.place.get(name) for name in ("copy", "run", "run_seq")) for found in findings]


def test_where_all_three_agree_it_is_sound(carried: World) -> None:
    report = carried.verify()

    assert (report.verdict, report.exit_code) == ("sound", 0)
    assert (report.runs, report.events, report.messages, report.recorded) == (RUNS, EVENTS, EVENTS, EVENTS)
    assert "postgres = kafka = audit log" in "\n".join(report.lines())


def test_duplicates_in_kafka_are_what_a_relay_may_leave(world: World) -> None:
    log = world.log()
    world.publish(log[:5] + log[2:5] + log[2:])
    world.checkpoint()
    world.audit()

    report = world.verify()

    assert (report.verdict, report.duplicates) == ("sound", 6)


def test_an_event_deleted_from_the_log_is_missed(carried: World) -> None:
    carried.tamper("delete from postil.event where run_id = 'run-3' and run_seq = 4")

    report = carried.verify()

    assert kinds(report.findings) == {"run_seq": 1, "annotation": 1, "forged": 2}
    assert "missing: 4" in str(next(iter(report.findings)))
    assert {("kafka", "default/run-3", 4), ("audit log", "default/run-3", 4)} <= set(places(report.findings))


def test_the_last_event_of_a_run_deleted_is_missed_by_the_runs_head(carried: World) -> None:
    carried.tamper(f"delete from postil.event where run_id = 'run-3' and run_seq = {NOTES + 2}")

    assert kinds(carried.verify().findings) == {"run_seq": 1, "forged": 2}


def test_a_value_altered_in_the_log_differs_everywhere_else(carried: World) -> None:
    carried.tamper("""
        update postil.event set data = jsonb_set(data, '{value}', '"other"') where run_id = 'run-3' and run_seq = 3""")

    report = carried.verify()

    assert kinds(report.findings) == {"annotation": 1, "bytes": 2}
    assert {str(run) for _, run, _ in places(report.findings)} == {"default/run-3"}


def test_a_value_altered_in_the_annotation_differs_from_its_event(carried: World) -> None:
    carried.tamper("update postil.annotation set value = '7' where run_id = 'run-3' and run_seq = 3")

    report = carried.verify()

    assert (places(report.findings), report.exit_code) == ([("postgres", "default/run-3", 3)], 1)
    assert "differ in the value" in str(next(iter(report.findings)))


def test_an_annotation_deleted_leaves_an_event_without_one(carried: World) -> None:
    carried.tamper("delete from postil.annotation where run_id = 'run-3' and run_seq = 3")

    (finding,) = carried.verify().findings

    assert "has no annotation" in finding.what


def test_an_annotation_put_in_past_the_functions_has_no_event(carried: World) -> None:
    carried.tamper("""
        insert into postil.annotation (tenant, run_id, run_seq, attempt, group_id, scope, key, value, recorded_at)
        values ('default', 'run-3', 99, 1, gen_random_uuid(), 'run', 'k', '1', now())""")

    (finding,) = carried.verify().findings

    assert "has no annotation:created event" in finding.what


def test_an_event_that_counts_as_published_and_never_reached_kafka_is_missing(world: World) -> None:
    world.publish([event for event in world.log() if event[:2] != ("default/run-3", NOTES + 2)])
    world.checkpoint()
    world.audit()

    report = world.verify()

    assert places(report.findings) == [("kafka", "default/run-3", NOTES + 2)]
    assert report.messages == EVENTS - 1


def test_a_gap_in_kafka_is_wrong_even_before_the_relay_says_published(world: World) -> None:
    world.publish([event for event in world.log() if event[:2] != ("default/run-3", 3)])
    world.audit()

    report = world.verify()

    assert kinds(report.findings) == {"missing": 1, "run_seq": 1}, "in Kafka, and as a gap in the audit log"
    assert ("kafka", "default/run-3", 3) in places(report.findings)


def test_a_run_out_of_order_in_kafka_is_named_with_its_offset(world: World) -> None:
    log = world.log()
    mine = [n for n, event in enumerate(log) if event[0] == "default/run-3"]
    log[mine[1]], log[mine[2]] = log[mine[2]], log[mine[1]]
    world.publish(log)
    world.checkpoint()
    world.audit()

    found = {finding.place["copy"]: finding for finding in world.verify().findings if finding.kind == "order"}

    assert (found["kafka"].what, found["kafka"].place["run"]) == ("run_seq 2 comes after 3", "default/run-3")
    assert {"partition", "offset"} <= set(found["kafka"].place)


def test_a_forged_event_in_kafka_is_not_mistaken_for_a_newer_one(carried: World) -> None:
    run, run_seq, value = carried.log()[-1]
    forged = value.replace(f'"runseq":{run_seq}'.encode(), f'"runseq":{run_seq + 1}'.encode())
    carried.publish([(run, run_seq + 1, forged)])

    assert places(carried.verify().findings) == [("kafka", run, run_seq + 1)]


def test_other_bytes_in_kafka_are_named_with_their_offset(carried: World) -> None:
    run, run_seq, value = carried.log()[3]
    carried.publish([(run, run_seq, value.replace(b'"attempt":1', b'"attempt":2'))])

    (finding,) = carried.verify().findings

    assert (
        finding.kind,
        *(finding.place[name] for name in ("run", "run_seq", "copy")),
    ) == ("bytes", run, run_seq, "kafka")


def test_what_is_written_while_it_runs_is_not_required_and_not_called_forged(carried: World) -> None:
    """A writer commits and a relay publishes between the snapshot of Postgres and the reading of Kafka."""
    newer = iter(["newer"])

    def step(what: str, _total: int | None, _more: int) -> None:
        if what == "postgres" and (run := next(newer, None)):
            carried.record(run)
            carried.publish([event for event in carried.log() if event[0] == f"default/{run}"])

    report = verify(carried.settings, wait=0, step=step)

    assert (report.verdict, report.events, report.duplicates + NOTES + 2) == ("sound", EVENTS, NOTES + 2)


def test_what_the_relay_has_not_published_yet_is_late_not_wrong(carried: World) -> None:
    carried.record("late")

    report = carried.verify()

    assert (
        report.verdict,
        report.exit_code,
        kinds(report.doubts),
    ) == ("could not tell", 2, {"unpublished": NOTES + 2})


def test_what_the_audit_log_has_not_read_yet_is_late_not_wrong(carried: World) -> None:
    carried.record("late")
    carried.publish([event for event in carried.log() if event[0] == "default/late"])
    carried.checkpoint()

    report = carried.verify()

    assert (
        report.exit_code,
        kinds(report.doubts),
        report.messages,
    ) == (2, {"lag": NOTES + 2}, EVENTS + NOTES + 2)


def test_a_run_the_relay_parked_is_wrong_and_says_why(carried: World) -> None:
    carried.record("parked")
    carried.database.execute("""
        insert into postil.parked_run (tenant, run_id, lane, run_seq, event_id, reason)
        select tenant, run_id, lane, run_seq, event_id, 'too large' from postil.event
        where run_id = 'parked' and run_seq = 3""")
    carried.publish([event for event in carried.log() if event[0] == "default/parked"][:2])
    carried.checkpoint()

    report = carried.verify()

    assert kinds(report.findings) == {"parked": NOTES}
    assert "too large" in str(next(iter(report.findings)))


def test_a_record_the_audit_log_has_read_past_is_missing_from_it(world: World) -> None:
    world.publish(world.log())
    world.checkpoint()
    world.audit(keep=lambda item: (item.event.run, item.event.run_seq) != ("default/run-3", 2))

    report = world.verify()

    assert ("audit log", "default/run-3", 2) in places(report.findings)
    assert kinds(report.findings) == {"missing": 1, "run_seq": 1}


def test_a_record_altered_in_the_audit_log_is_found_by_its_own_chain(carried: World) -> None:
    segment = next(next(carried.logs()).glob("0*.ndjson"))
    segment.write_bytes(segment.read_bytes().replace(b'"review"', b'"revuew"', 1))

    report = carried.verify()

    assert "the record was altered" in [finding.what for finding in report.findings]


def test_an_audit_log_rewritten_as_a_whole_disagrees_with_postgres(carried: World) -> None:
    """What its own chain cannot show, since it is not signed."""
    carried.tamper(
        "update postil.event set data = data || '{\"forged\": true}' where run_id = 'run-3' and run_seq = 1"
    )
    for log in carried.settings.audit_path.iterdir():
        if log.is_dir():
            for path in log.iterdir():
                path.unlink()
    carried.audit()

    assert kinds(carried.verify().findings) == {"bytes": 1}, (
        "Kafka alone still knows; the audit log agrees with the lie"
    )


def test_a_foreign_message_in_the_topic_is_noted_and_breaks_no_promise(carried: World) -> None:
    carried.publish([("default/run-1", 0, b"not an event")])

    report = carried.verify()

    assert (report.verdict, kinds(report.notes)) == ("sound", {"stranger": 1})


def test_without_an_audit_log_it_cannot_tell_and_says_what_to_do(world: World) -> None:
    with pytest.raises(PostilError) as refused:
        world.verify()

    assert (refused.value.exit_code, "postil consume audit" in refused.value.advice) == (2, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"database_url": "postgresql://nobody@127.0.0.1:1/none"},
        {"kafka_bootstrap_servers": "127.0.0.1:1"},
        {"kafka_topic": "no.such.topic"},
    ],
)
def test_what_cannot_be_reached_is_not_called_wrong(carried: World, wrong: dict[str, str]) -> None:
    settings = Settings(**{**carried.settings.model_dump(), **wrong})

    with pytest.raises(PostilError) as refused:
        verify(settings, wait=0)

    assert (refused.value.exit_code, bool(refused.value.advice)) == (2, True)


def test_the_answer_as_data_lists_what_is_wrong_with_its_place(carried: World) -> None:
    carried.tamper("delete from postil.annotation where run_id = 'run-3' and run_seq = 3")

    answer = json.loads(json.dumps(carried.verify().as_dict()))

    assert (
        answer["verdict"],
        answer["findings"]["count"],
        answer["findings"]["listed"][0]["run"],
    ) == ("wrong", 1, "default/run-3")
