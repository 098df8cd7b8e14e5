"""Imports into a real PostgreSQL: repeated imports, bad cases, and restarts of the server."""

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
    """Return the numbers of runs, of events, and of runs with a gap in run_seq."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select count(*), coalesce(sum(n), 0)::bigint, count(*) filter (where n <> last or last <> head) from"
            " (select r.id, r.head, count(e), max(e.run_seq) from postil.run r"
            "    join postil.event e on (e.tenant, e.run_id) = (r.tenant, r.id) group by r.tenant, r.id) x(id, head, n, last)"
        ).fetchone()
    assert row is not None
    return row


def test_an_import_writes_whole_cases_with_original_times(
    database_url: str, writer: Writer, tmp_path: Path
) -> None:
    """Each case is written completely, without a gap in run_seq, with the times of the log."""
    report = imported(tmp_path / "orders.xes", log(7), writer)

    assert (report.new, report.records, report.complete, report.exit_code) == (7, 21, True, 0)
    # created, three stages started and ended, completed
    assert counts(database_url) == (7, 7 * 8, 0)
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "select to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), data #>> '{actor,id}' from postil.event"
            " where run_id = 'orders/c3' and type = 'stage:completed' order by run_seq desc limit 1"
        ).fetchone()
    assert row == ("2020-01-01 00:02", "ada")


def test_a_second_import_changes_nothing(database_url: str, writer: Writer, tmp_path: Path) -> None:
    """A second import of the same cases writes no event and reports them as unchanged."""
    imported(tmp_path / "orders.xes", log(50), writer)
    before = counts(database_url)
    again = imported(tmp_path / "orders.xes.gz", gzip.compress(log(50)), writer)

    assert (again.new, again.unchanged, again.events) == (0, 50, 0)
    assert counts(database_url) == before


def test_a_second_import_of_a_trajectory_is_unchanged(writer: Writer, tmp_path: Path) -> None:
    """A trajectory has no times and still counts as unchanged in its second import."""
    content = json.dumps(
        {"trajectory": [{"action": "ls", "thought": "look"}], "info": {"exit_status": "submitted"}}
    ).encode()
    first = imported(tmp_path / "a.traj", content, writer)
    second = imported(tmp_path / "a.traj", content, writer)

    # created, the call, its reason, the outcome, completed
    assert (first.new, first.events) == (1, 5)
    assert (second.new, second.unchanged) == (0, 1)


def test_other_content_under_the_same_id_is_a_conflict(
    database_url: str, writer: Writer, tmp_path: Path
) -> None:
    """Other content under a known run id is a conflict that excludes only that case."""
    imported(tmp_path / "orders.xes", log(1, first=20), writer)
    report = imported(tmp_path / "orders.xes", log(40, level="2"), writer)

    assert (report.new, report.conflicts, report.exit_code) == (39, 1, 1)
    (problem,) = report.problems
    assert "orders/c20 is already recorded with other content" in problem.what
    assert "line 82" in problem.what
    assert counts(database_url)[0] == 40


def test_another_name_makes_other_runs(database_url: str, writer: Writer, tmp_path: Path) -> None:
    """The same cases imported under another name become other runs."""
    imported(tmp_path / "orders.xes", log(2), writer)
    report = imported(tmp_path / "orders.xes", log(2, level="2"), writer, Options(name="march"))

    assert (report.new, report.conflicts) == (2, 0)


@pytest.mark.parametrize("suffix", [".xes", ".xes.gz"])
def test_a_rerun_completes_a_broken_import(
    database_url: str, writer: Writer, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases before a broken position are complete, and an import of the whole file adds the rest."""
    monkeypatch.setattr(loader, "BATCH_RUNS", 50)
    content = gzip.compress(log(600)) if suffix == ".xes.gz" else log(600)
    broken = imported(tmp_path / f"orders{suffix}", content[: len(content) // 2], writer)

    assert (broken.complete, broken.exit_code) == (False, 1)
    assert 0 < broken.new < 600
    assert counts(database_url) == (broken.new, broken.new * 8, 0)
    whole = imported(tmp_path / f"orders{suffix}", content, writer)
    assert (whole.new, whole.unchanged) == (600 - broken.new, broken.new)


def test_a_refused_case_excludes_only_itself(database_url: str, writer: Writer, tmp_path: Path) -> None:
    # 10^300 is six characters in the file and 301 in jsonb, a thousand of them are beyond every limit.
    """A case that the database refuses is left out alone; the rest of its batch is written."""
    many = "".join(f'<float key="f{n}" value="1e300"/>' for n in range(1000))
    content = log(3).replace(b'value="c1"/>', b'value="c1"/>' + many.encode())
    report = imported(tmp_path / "orders.xes", content, writer)

    assert (report.new, report.bad, report.exit_code) == (2, 1, 1)
    assert "line 6" in report.problems[0].what
    assert "orders/c1" in report.problems[0].what


def test_an_unknown_tenant_ends_the_import(database_url: str, tmp_path: Path) -> None:
    """An unknown tenant raises `TenantNotFound`, because it concerns every case."""
    writer = Writer(database_url, "unknown")
    with pytest.raises(TenantNotFound):
        imported(tmp_path / "orders.xes", log(3), writer)
    writer.close()


def test_an_unreachable_database_fails_at_once() -> None:
    """A database that cannot be reached at the start raises `Unavailable` without a wait."""
    with pytest.raises(Unavailable):
        Writer("postgresql://postgres@127.0.0.1:1/none", "default")


def test_an_import_survives_a_restart_of_postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import waits for a killed PostgreSQL and completes after its restart."""
    monkeypatch.setattr(loader, "BATCH_RUNS", 10)
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        migrate(server.url)
        some_written, waited = threading.Event(), threading.Event()
        writer = Writer(server.url, "default", on_wait=lambda _error, _seconds: waited.set())

        def progress(_read: int) -> None:
            # Batches are being written here: the next ones meet a server that is gone.
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

        # Batches that were committed just before the kill count as new, although their replies were lost.
        assert (report.new, report.unchanged, report.complete) == (400, 0, True)
        assert counts(server.url) == (400, 400 * 8, 0)


def test_a_committed_batch_with_a_lost_reply_counts_as_new(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that was committed although its reply was lost counts as new."""
    history = {
        "run_id": "r",
        "name": "r",
        "status": "completed",
        "trigger": {"source": "import", "action": "import"},
        "steps": [],
    }
    encoded = Encoded("r", "line 1", 0, json.dumps(history))
    once = writer._once
    losses = iter([True, False])

    def lose_the_first_reply(statement: str, parameters: tuple[object, ...]) -> list[object]:
        rows = once(statement, parameters)
        if next(losses, False):
            raise Unavailable("The connection was lost.", advice="")
        return rows

    monkeypatch.setattr(writer, "_once", lose_the_first_reply)
    (outcome,) = writer.record([encoded])
    assert (outcome.created, outcome.refused) == (True, None)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["import", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_reports_each_file(database_url: str, tmp_path: Path) -> None:
    """`postil import` reports counts per file, as text and as JSON, and exits with 0."""
    (tmp_path / "orders.xes").write_bytes(log(4))
    code, output, _ = run(str(tmp_path / "orders.xes"), "--json", "--database-url", database_url)

    assert code == 0
    (file,) = json.loads(output)["files"]
    assert (file["runs"]["new"], file["events"], file["events_written"], file["complete"]) == (
        4,
        12,
        32,
        True,
    )
    assert "nothing" not in output
    _, output, _ = run(str(tmp_path / "orders.xes"), "--database-url", database_url)
    assert "0 new" in output
    assert "4 unchanged" in output


def test_the_command_exits_1_for_bad_and_2_for_unread_files(database_url: str, tmp_path: Path) -> None:
    """`postil import` exits with 1 for a bad file and with 2 for a file that cannot be read."""
    (tmp_path / "bad.xes").write_bytes(log(4)[:-30])
    (tmp_path / "good.xes").write_bytes(log(2))
    bad, good = str(tmp_path / "bad.xes"), str(tmp_path / "good.xes")

    code, output, errors = run(bad, good, "--database-url", database_url)
    assert code == 1
    assert "incomplete" in output
    assert "ends before </log>" in errors
    assert "2 new" in output
    code, output, errors = run(
        str(tmp_path), str(tmp_path / "none.xes"), good, "--database-url", database_url
    )
    assert code == 2
    assert "2 unchanged" in output
    assert "This is a directory" in errors
    assert "There is no such file" in errors


@pytest.mark.parametrize("options", [["--timezone", "Mars/Base"], ["--name", "a\nb"], ["--name", ""]])
def test_a_wrong_option_is_refused_before_any_write(
    database_url: str, tmp_path: Path, options: list[str]
) -> None:
    """A wrong option raises `ConfigurationError` and nothing is written."""
    (tmp_path / "orders.xes").write_bytes(log(1))
    result = CliRunner().invoke(
        app, ["import", str(tmp_path / "orders.xes"), "--database-url", database_url, *options]
    )

    assert type(result.exception).__name__ == "ConfigurationError"
    assert counts(database_url)[0] == 0
