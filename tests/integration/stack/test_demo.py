"""The demonstration reads a real folder, waits for an answer, and acts on it."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from postil import Postil, user
from postil.cli import app
from postil.errors import RunCancelled
from postil_stack.cli.demo import register
from postil_stack.demo import FolderError, review
from postil_stack.demo.workflow import QUESTION

register(app)


@pytest.fixture
def postil(database_url: str) -> Iterator[Postil]:
    postil = Postil(database_url)
    yield postil
    postil.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    (work / "a.txt").write_text("hello")
    (work / "sub" / "b.txt").write_text("hello")
    (work / "c.py").write_text('api_key = "0123456789abcdef"\n')
    (work / os.fsdecode(b"n\xe9.txt")).write_text("a name that is not text")
    return work


def content_of(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        repr(file): (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file()
    }


def answering(url: str, act: Callable[[Postil, str], object]) -> Callable[[str, str], None]:
    """Return a callback that waits for the run's question in another thread, and then acts on it."""

    def start(run_id: str, _prompt: str) -> None:
        def later() -> None:
            other = Postil(url)
            with psycopg.connect(url, autocommit=True) as connection:
                asked = "select 1 from postil.interaction where run_id = %s and status = 'pending'"
                deadline = time.monotonic() + 60
                while not connection.execute(asked, [run_id]).fetchone() and time.monotonic() < deadline:
                    connection.execute("select pg_sleep(0.01)")
            act(other, run_id)
            other.close()

        threading.Thread(target=later).start()

    return start


def answered(outcome: str, **more: str) -> Callable[[Postil, str], object]:
    return lambda other, run_id: other.resolve_interaction(
        run_id, QUESTION, {"outcome": outcome, **more}, actor=user("ada")
    )


def rows(url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement, parameters).fetchall()


def test_an_accepted_review_writes_only_its_report(
    postil: Postil, database_url: str, folder: Path, tmp_path: Path
) -> None:
    """An accepted review completes its run, writes the report, and leaves the folder as it was."""
    before = content_of(folder)
    outcome = review(
        postil, folder, tmp_path / "data" / "reports", on_question=answering(database_url, answered("accept"))
    )

    assert (outcome.files, outcome.flagged) == (4, 2)
    assert outcome.report is not None
    assert "`sub/b.txt`" in outcome.report.read_text()
    assert content_of(folder) == before
    (run,) = rows(
        database_url,
        "select status, trigger_source, result ->> 'report' from postil.run where id = %s",
        outcome.run_id,
    )
    assert run == ("completed", "cli", str(outcome.report))


def test_every_step_of_a_review_is_recorded(
    postil: Postil, database_url: str, folder: Path, tmp_path: Path
) -> None:
    """Stages, tool calls, decisions and the approval are recorded; the secret in a file is not."""
    outcome = review(
        postil,
        folder,
        tmp_path / "reports",
        on_question=answering(database_url, answered("accept", note="fine")),
    )

    stages = rows(
        database_url,
        "select name, status from postil.stage where run_id = %s order by started_at",
        outcome.run_id,
    )
    assert stages == [
        (name, "completed") for name in ("Look around", "Read and hash", "Decide", "Write the report")
    ]
    calls = dict(rows(database_url, "select name, count(*) from postil.tool_call where run_id = %s and status = 'completed'"
                                    " group by name", outcome.run_id))  # fmt: skip
    assert calls == {"list_folder": 1, "read_file": 4, "write_report": 1}
    annotations = rows(
        database_url,
        "select key, value, actor_id from postil.annotation where run_id = %s order by run_seq",
        outcome.run_id,
    )
    outcomes = [value for key, value, _ in annotations if key == "decision.outcome"]
    assert outcomes == ["flag", "flag", "keep"]
    assert ("approval.approvers", ["ada"], "ada") in annotations
    assert ("approval.note", "fine", "ada") in annotations
    assert "0123456789abcdef" not in str(rows(database_url, "select data from postil.event"))


def test_a_declined_review_writes_no_report(
    postil: Postil, database_url: str, folder: Path, tmp_path: Path
) -> None:
    """A declined review writes no file, and its run records why."""
    outcome = review(
        postil,
        folder,
        tmp_path / "reports",
        on_question=answering(database_url, answered("decline", note="not now")),
    )

    assert outcome.report is None
    assert not (tmp_path / "reports").exists()
    (reason,) = rows(database_url, "select value from postil.annotation where run_id = %s and stage_id = 'Stand down'"
                                   " and key = 'decision.rationale'", outcome.run_id)  # fmt: skip
    assert reason == ("The report was declined: not now.",)


def test_a_review_cancelled_from_outside_stops(
    postil: Postil, database_url: str, folder: Path, tmp_path: Path
) -> None:
    """A review whose run another process cancels raises `RunCancelled` and writes no file."""
    cancel = answering(database_url, lambda other, run_id: other.cancel_run(run_id, actor=user("ada")))
    with pytest.raises(RunCancelled):
        review(postil, folder, tmp_path / "reports", on_question=cancel)
    assert not (tmp_path / "reports").exists()


def test_a_review_without_an_answer_fails_in_time(
    postil: Postil, database_url: str, folder: Path, tmp_path: Path
) -> None:
    """After `wait` seconds without an answer the review raises TimeoutError, and its run is failed."""
    with pytest.raises(TimeoutError):
        review(postil, folder, tmp_path / "reports", wait=0.05)
    assert rows(database_url, "select status from postil.run") == [("failed",)]


def test_a_missing_folder_is_refused_before_a_run(postil: Postil, database_url: str, tmp_path: Path) -> None:
    """A path that is not a folder raises `FolderError`, and no run is created."""
    with pytest.raises(FolderError, match="is not a folder"):
        review(postil, tmp_path / "none", tmp_path / "reports")
    assert rows(database_url, "select from postil.run") == []


def test_an_unwritable_report_fails_the_run(
    postil: Postil, database_url: str, folder: Path, tmp_path: Path
) -> None:
    """A report that cannot be written raises `FolderError`, and the run is failed."""
    (tmp_path / "taken").write_text("a file, where a folder is needed")
    with pytest.raises(FolderError, match="taken"):
        review(
            postil,
            folder,
            tmp_path / "taken" / "reports",
            on_question=answering(database_url, answered("accept")),
        )
    assert rows(database_url, "select status from postil.run") == [("failed",)]


@pytest.mark.parametrize("interruption", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_is_recorded_as_cancelled(
    database_url: str, folder: Path, tmp_path: Path, interruption: signal.Signals
) -> None:
    """After SIGINT or SIGTERM the command ends with exit code 2, and its run is cancelled."""
    command = [sys.executable, "-m", "postil", "demo", str(folder), "--database-url", database_url]
    environment = {**os.environ, "POSTIL_DATA_DIR": str(tmp_path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "postil answer" in line)
        process.send_signal(interruption)
        process.stderr.read()
        assert process.wait(60) == 2
    assert rows(database_url, "select status from postil.run") == [("cancelled",)]


def test_postil_answer_records_an_answer_once(postil: Postil, database_url: str) -> None:
    """The same answer again stores nothing; another answer is refused."""
    postil.create_run("r", name="r")
    postil.ask("r", "Continue?", interaction_id="q")
    arguments = [
        "answer",
        "r",
        "q",
        "accept",
        "--as",
        "ada",
        "--note",
        "why not",
        "--database-url",
        database_url,
    ]

    assert "recorded as event" in CliRunner().invoke(app, arguments).stdout
    assert "recorded before" in CliRunner().invoke(app, arguments).stdout
    assert rows(database_url, "select status, answer, actor_id from postil.interaction") == [
        ("resolved", {"outcome": "accept", "note": "why not"}, "ada")
    ]
    refused = CliRunner().invoke(app, ["answer", "r", "q", "decline", "--database-url", database_url])
    assert type(refused.exception).__name__ == "InteractionEnded"
