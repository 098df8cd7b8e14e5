"""Importing into a real PostgreSQL: twice is once, a bad case keeps out only itself, a restart is outlived."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from postil.cli import app
from postil.cli.import_ import register
from postil.errors import TenantNotFound, Unavailable
from postil.importers import FileReport, Options, import_file, loader
from postil.importers.writer import Encoded, Writer
from postil.postgres.migrate import migrate
from postil_stack.servers.postgres import EmbeddedPostgres

register(app)


def log(cases: int, events: int = 3, *, first: int = 0, level: str = "1") -> bytes:
    traces = (
        f'<trace><string key="concept:name" value="c{number}"/>'
        + "".join(
            f'<event><string key="concept:name" value="Step {step}"/><string key="org:resource" value="ada"/>'
            f'<date key="time:timestamp" value="2020-01-01T00:{step:02}:00Z"/><string key="level" value="{level}"/></event>\n'
            for step in range(events)
        )
        + "</trace>\n"
        for number in range(first, first + cases)
    )
    return f"<log>\n{''.join(traces)}</log>".encode()


@pytest.fixture
def writer(database_url: str) -> Iterator[Writer]:
    writer = Writer(database_url, "default")
    yield writer
    writer.close()


def imported(path: Path, content: bytes, writer: Writer, options: Options | None = None) -> FileReport:
    path.write_bytes(content)
    return import_file(path, writer, options)


def counts(url: str) -> tuple[int, int, int]:
    """Runs, events, and runs whose run_seq is not gapless."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select count(*), coalesce(sum(n), 0)::bigint, count(*) filter (where n <> last or last <> head) from"
            " (select r.id, r.head, count(e), max(e.run_seq) from postil.run r"
            "    join postil.event e on (e.tenant, e.run_id) = (r.tenant, r.id) group by r.tenant, r.id) x(id, head, n, last)"
        ).fetchone()
    assert row is not None
    return row


def test_an_import_writes_each_case_whole_with_its_original_times(
    database_url: str, writer: Writer, tmp_path: Path
) -> None:
    report = imported(tmp_path / "orders.xes", log(7), writer)

    assert (report.new, report.records, report.complete, report.exit_code) == (7, 21, True, 0)
    # created, three stages begun and ended, completed
    assert counts(database_url) == (7, 7 * 8, 0)
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "select to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), data #>> '{actor,id}' from postil.event"
            " where run_id = 'orders/c3' and type = 'stage:completed' order by run_seq desc limit 1"
        ).fetchone()
    assert row == ("2020-01-01 00:02", "ada")


def test_a_second_import_changes_nothing_and_says_so(
    database_url: str, writer: Writer, tmp_path: Path
) -> None:
    imported(tmp_path / "orders.xes", log(50), writer)
    before = counts(database_url)
    again = imported(tmp_path / "orders.xes.gz", gzip.compress(log(50)), writer)

    assert (again.new, again.unchanged, again.events) == (0, 50, 0)
    assert counts(database_url) == before


def test_a_trajectory_is_the_same_at_its_second_import_though_it_has_no_times(
    writer: Writer, tmp_path: Path
) -> None:
    content = json.dumps(
        {"trajectory": [{"action": "ls", "thought": "look"}], "info": {"exit_status": "submitted"}}
    ).encode()
    first = imported(tmp_path / "a.traj", content, writer)
    second = imported(tmp_path / "a.traj", content, writer)

    # created, the call, its reason, the outcome, completed
    assert (first.new, first.events) == (1, 5)
    assert (second.new, second.unchanged) == (0, 1)


def test_other_content_under_the_same_id_is_a_conflict_that_keeps_out_only_itself(
    database_url: str, writer: Writer, tmp_path: Path
) -> None:
    imported(tmp_path / "orders.xes", log(1, first=20), writer)
    report = imported(tmp_path / "orders.xes", log(40, level="2"), writer)

    assert (report.new, report.conflicts, report.exit_code) == (39, 1, 1)
    (problem,) = report.problems
    assert "orders/c20 is recorded already, with other content" in problem.what
    assert "line 82" in problem.what
    assert counts(database_url)[0] == 40


def test_the_same_cases_under_another_name_are_other_runs(
    database_url: str, writer: Writer, tmp_path: Path
) -> None:
    imported(tmp_path / "orders.xes", log(2), writer)
    report = imported(tmp_path / "orders.xes", log(2, level="2"), writer, Options(name="march"))

    assert (report.new, report.conflicts) == (2, 0)


@pytest.mark.parametrize("suffix", [".xes", ".xes.gz"])
def test_what_was_imported_before_a_break_stays_whole_and_a_rerun_completes_it(
    database_url: str, writer: Writer, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "BATCH_RUNS", 50)
    content = gzip.compress(log(600)) if suffix == ".xes.gz" else log(600)
    broken = imported(tmp_path / f"orders{suffix}", content[: len(content) // 2], writer)

    assert (broken.complete, broken.exit_code) == (False, 1)
    assert 0 < broken.new < 600
    assert counts(database_url) == (broken.new, broken.new * 8, 0)
    whole = imported(tmp_path / f"orders{suffix}", content, writer)
    assert (whole.new, whole.unchanged) == (600 - broken.new, broken.new)


def test_a_case_the_database_refuses_keeps_out_only_itself(
    database_url: str, writer: Writer, tmp_path: Path
) -> None:
    # 10^300 is six characters in the file and 301 in jsonb, a thousand of them are beyond every limit.
    many = "".join(f'<float key="f{n}" value="1e300"/>' for n in range(1000))
    content = log(3).replace(b'value="c1"/>', b'value="c1"/>' + many.encode())
    report = imported(tmp_path / "orders.xes", content, writer)

    assert (report.new, report.bad, report.exit_code) == (2, 1, 1)
    assert "line 6" in report.problems[0].what
    assert "orders/c1" in report.problems[0].what


def test_an_unknown_tenant_ends_the_import(database_url: str, tmp_path: Path) -> None:
    writer = Writer(database_url, "nobody")
    with pytest.raises(TenantNotFound):
        imported(tmp_path / "orders.xes", log(3), writer)
    writer.close()


def test_a_database_that_was_never_there_is_not_waited_for() -> None:
    with pytest.raises(Unavailable):
        Writer("postgresql://postgres@127.0.0.1:1/none", "default")


def test_an_import_outlives_a_killed_and_restarted_postgres(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "BATCH_RUNS", 10)
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        migrate(server.url)
        some_written, waited = threading.Event(), threading.Event()
        writer = Writer(server.url, "default", on_wait=lambda _error, _seconds: waited.set())

        def progress(_read: int) -> None:
            # Batches are under way here: the next ones meet a server that is gone.
            if not some_written.is_set():
                some_written.set()
                server.kill()
                restart.start()

        def start_again() -> None:
            assert waited.wait(60)
            server.start()

        restart = threading.Thread(target=start_again)
        file = tmp_path / "orders.xes"
        file.write_bytes(log(400))
        report = import_file(file, writer, on_progress=progress)
        restart.join()
        writer.close()

        # Batches committed just before the kill, whose answers were lost, count as new all the same.
        assert (report.new, report.unchanged, report.complete) == (400, 0, True)
        assert counts(server.url) == (400, 400 * 8, 0)


def test_a_batch_whose_answer_was_lost_still_counts_as_new(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = {
        "run_id": "r",
        "name": "r",
        "status": "completed",
        "trigger": {"source": "import", "action": "import"},
        "steps": [],
    }
    encoded = Encoded("r", "line 1", 0, json.dumps(history))
    once = writer._once
    answers = iter([True, False])

    def lose_the_first_answer(statement: str, parameters: tuple[object, ...]) -> list[object]:
        rows = once(statement, parameters)
        if next(answers, False):
            raise Unavailable("The connection was lost.", advice="")
        return rows

    monkeypatch.setattr(writer, "_once", lose_the_first_answer)
    (outcome,) = writer.record([encoded])
    assert (outcome.created, outcome.refused) == (True, None)


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["import", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_the_command_reports_each_file_and_exits_0(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "orders.xes").write_bytes(log(4))
    code, answer, _ = run(str(tmp_path / "orders.xes"), "--json", "--database-url", database_url)

    assert code == 0
    (file,) = json.loads(answer)["files"]
    assert (file["runs"]["new"], file["events"], file["events_written"], file["complete"]) == (
        4,
        12,
        32,
        True,
    )
    assert "nothing" not in answer
    _, answer, _ = run(str(tmp_path / "orders.xes"), "--database-url", database_url)
    assert "0 new" in answer
    assert "4 unchanged" in answer


def test_the_command_exits_1_where_a_file_was_bad_and_2_where_it_could_not_read_one(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.xes").write_bytes(log(4)[:-30])
    (tmp_path / "good.xes").write_bytes(log(2))
    bad, good = str(tmp_path / "bad.xes"), str(tmp_path / "good.xes")

    code, answer, said = run(bad, good, "--database-url", database_url)
    assert code == 1
    assert "incomplete" in answer
    assert "ends before </log>" in said
    assert "2 new" in answer
    code, answer, said = run(str(tmp_path), str(tmp_path / "none.xes"), good, "--database-url", database_url)
    assert code == 2
    assert "2 unchanged" in answer
    assert "This is a directory" in said
    assert "There is no such file" in said


@pytest.mark.parametrize("given", [["--timezone", "Mars/Base"], ["--name", "a\nb"], ["--name", ""]])
def test_a_wrong_option_is_refused_before_anything_is_written(
    database_url: str, tmp_path: Path, given: list[str]
) -> None:
    (tmp_path / "orders.xes").write_bytes(log(1))
    done = CliRunner().invoke(
        app, ["import", str(tmp_path / "orders.xes"), "--database-url", database_url, *given]
    )

    assert type(done.exception).__name__ == "ConfigurationError"
    assert counts(database_url)[0] == 0
