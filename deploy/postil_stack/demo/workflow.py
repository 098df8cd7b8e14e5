"""The review of a folder as a hosted run: list, read, decide, ask, report."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import cast

from tenacity import Retrying, retry_if_exception_type, wait_fixed

from postil import Decision, HostedRun, Json, Postil, Trigger, agent, tool
from postil.errors import PostilError, Unavailable
from postil_stack.demo.folder import FileDescription, Listing, describe, listing, printable
from postil_stack.demo.judgement import Verdict, judge
from postil_stack.demo.report import render

DECISIONS = 100
"""How many flagged files get a separate decision in the record. The report has all of them."""

QUESTION = "report"
"""The id of the question that a review asks."""
DATABASE_TIMEOUT = 600.0
"""How long a review that waits for its answer tolerates an unavailable database, in seconds."""


class FolderError(PostilError):
    """The folder cannot be reviewed, or the report cannot be written."""


@dataclass(frozen=True)
class Outcome:
    """The result of a review. `report` is the file that it wrote, or None if the report was declined."""

    run_id: str
    files: int
    flagged: int
    report: Path | None


def review(
    postil: Postil,
    folder: Path,
    reports: Path,
    *,
    limit: int = 200,
    wait: float | None = None,
    on_run: Callable[[str], None] = lambda _: None,
    on_question: Callable[[str, str], None] = lambda _run, _prompt: None,
) -> Outcome:
    """Review `folder`: read up to `limit` of its files, decide about each, and write a report if a person approves it.

    The report is written to `reports`; the folder is only read. `on_run` is called with the run's id,
    and `on_question` with the run's id and the question. `wait` is the longest wait for the answer in seconds.
    Defaults to None: no limit. Raises `FolderError` if the folder cannot be read, `RunCancelled` if the run is cancelled,
    and TimeoutError if there is no answer in time.
    """
    try:
        root = folder.expanduser().resolve()
        is_folder = root.is_dir()
    except (
        OSError,
        RuntimeError,
    ) as error:  # the name is too long, links form a circle, or a user has no home
        raise FolderError(
            f"{printable(folder)} cannot be read: {getattr(error, 'strerror', None) or error}.",
            advice="Name a folder: postil demo DIR.",
        ) from error
    if not is_folder:
        raise FolderError(f"{printable(folder)} is not a folder.", advice="Name a folder: postil demo DIR.")
    hosted = postil.run(
        "folder-review",
        trigger=Trigger(source="cli"),
        input={"folder": printable(root), "limit": limit},
        actor=agent("folder-review", version=version("postil")),
    )
    try:
        with hosted as run:
            on_run(run.id)
            return _Review(run, root, reports, limit).carry_out(wait, on_question)
    except TimeoutError:  # also an OSError, but without a file
        raise
    except OSError as error:
        raise FolderError(
            f"{printable(Path(error.filename or root))}: {error.strerror or error}.",
            advice="Check its permissions.",
        ) from error


class _Review:
    def __init__(self, run: HostedRun, root: Path, reports: Path, limit: int) -> None:
        self._run = run
        self._root = root
        self._reports = reports.resolve()
        self._limit = limit

    def carry_out(self, wait: float | None, on_question: Callable[[str, str], None]) -> Outcome:
        files = self._look_around()
        verdicts = self._decide(self._read(files.files))
        flagged = [verdict for verdict in verdicts if verdict.outcome == "flag"]
        prompt = (
            f"{len(verdicts):,} files of {printable(self._root)} were read, {len(flagged):,} flagged"
            f"{_by_rule(flagged)}. Write a report to {printable(self._report_file)}?"
        )
        on_question(self._run.id, prompt)
        answer = self._ask(prompt, wait)
        accepted = answer.get("outcome") == "accept"
        report = self._write(files, verdicts) if accepted else None
        if not accepted:
            self._stand_down(answer)
        self._run.complete(
            {"files": len(verdicts), "flagged": len(flagged), "report": printable(report) if report else None}
        )
        return Outcome(self._run.id, len(verdicts), len(flagged), report)

    def _ask(self, prompt: str, wait: float | None) -> dict[str, Json]:
        # The answer may take long, and PostgreSQL may be restarted in the meantime.
        # Asking again under the same id continues the wait.
        patient = Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_fixed(1),
            stop=lambda state: (
                state.idle_for > DATABASE_TIMEOUT
            ),  # the time without a database, not the time without an answer
            reraise=True,
        )
        for attempt in patient:
            with attempt:
                return cast("dict[str, Json]", self._run.ask(prompt, interaction_id=QUESTION, timeout=wait))
        raise AssertionError("the last attempt raises")

    @property
    def _report_file(self) -> Path:
        return self._reports / f"folder-review-{self._run.id}.md"

    def _look_around(self) -> Listing:
        with self._run.stage("Look around") as stage:
            files = self._list()
            result: dict[str, Json] = {
                "files": len(files.files),
                "skipped": list(files.skipped),
                "beyond_the_limit": files.beyond_limit,
            }
            stage.complete(result)
            if files.beyond_limit:
                stage.annotate(
                    Decision(
                        outcome=f"read {len(files.files):,} files only",
                        rationale=f"There are at least {files.beyond_limit:,} more; the limit is {self._limit:,} (--limit).",
                    )
                )
        return files

    def _list(self) -> Listing:
        results: list[Listing] = []

        @tool
        def list_folder(folder: str) -> dict[str, Json]:
            results.append(
                listing(
                    self._root, limit=self._limit, leave_out=frozenset({self._reports, self._reports.parent})
                )
            )
            kinds = Counter(path.suffix.lower() or "(none)" for path in results[0].files)
            return {
                "folder": folder,
                "files": len(results[0].files),
                "by_suffix": dict(kinds.most_common(20)),
            }

        list_folder(printable(self._root))
        return results[0]

    def _read(self, files: list[Path]) -> list[FileDescription]:
        paths = {printable(path.relative_to(self._root)): path for path in files}

        @tool
        def read_file(path: str) -> FileDescription:
            return describe(paths[path], path)

        with self._run.stage("Read and hash") as stage:
            descriptions = [read_file(name) for name in paths]
            total = sum(description["bytes"] for description in descriptions)
            stage.complete({"files": len(descriptions), "bytes": total})
        return descriptions

    def _decide(self, files: list[FileDescription]) -> list[Verdict]:
        with self._run.stage("Decide") as stage:
            verdicts = judge(files)
            flagged = [verdict for verdict in verdicts if verdict.outcome == "flag"]
            for verdict in flagged[:DECISIONS]:
                stage.annotate(
                    Decision(
                        outcome=verdict.outcome,
                        rationale=f"{verdict.file['path'][:500]}: {verdict.rationale}",
                        confidence=verdict.confidence,
                        alternatives=["keep"],
                        payload={"rule": verdict.rule, **verdict.file},
                    )
                )
            kept = len(verdicts) - len(flagged)
            if kept:
                stage.annotate(
                    Decision(
                        outcome="keep",
                        rationale=f"{kept:,} files: readable, no earlier file with their content, of ordinary size, "
                        "nothing that looks like a secret.",
                    )
                )
            if len(flagged) > DECISIONS:
                stage.annotate({"demo.decisions_left_to_the_report": len(flagged) - DECISIONS})
            stage.complete(
                {"keep": kept, "flag": len(flagged), "by_rule": dict(Counter(item.rule for item in flagged))}
            )
        return verdicts

    def _write(self, files: Listing, verdicts: list[Verdict]) -> Path:
        target = self._report_file
        text = render(printable(self._root), self._run.id, files, verdicts)

        @tool
        def write_report(path: str) -> dict[str, Json]:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
            return {
                "path": path,
                "bytes": len(text.encode()),
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
            }

        with self._run.stage("Write the report") as stage:
            stage.complete(write_report(printable(target)))
        return target

    def _stand_down(self, answer: dict[str, Json]) -> None:
        with self._run.stage("Stand down") as stage:
            note = answer.get("note")
            reason = f": {note}" if isinstance(note, str) and note else ""
            stage.annotate(Decision(outcome="write nothing", rationale=f"The report was declined{reason}."))


def _by_rule(flagged: list[Verdict]) -> str:
    counts = Counter(verdict.rule for verdict in flagged)
    return f" ({', '.join(f'{count:,} {rule}' for rule, count in counts.most_common())})" if counts else ""
