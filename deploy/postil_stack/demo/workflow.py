"""The review of a folder as a hosted run: look, read, decide, ask, report."""

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
from postil_stack.demo.folder import Listing, Seen, listing, look_at, printable
from postil_stack.demo.judgement import Verdict, judge
from postil_stack.demo.report import render

DECISIONS = 100
"""At most so many flagged files are decided one by one in the record; the report has all of them."""

QUESTION = "report"
"""The id of the question a review asks."""
PATIENCE = 600.0
"""Seconds a review that waits for its answer outlives an absent database."""


class FolderError(PostilError):
    """The folder cannot be reviewed, or the report not be written."""


@dataclass(frozen=True)
class Outcome:
    """How a review ended: `report` is the file it wrote, None where that was declined."""

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
    """Review `folder`: read up to `limit` of its files, decide about each, and, if somebody approves, write a report.

    The report goes under `reports`; the folder is only read. `on_run` is told the run's id,
    `on_question` the run's id and the question when it waits for the answer, at most `wait` seconds (None: for ever).
    Raises `FolderError` for what is no readable folder, `RunCancelled` when the run is cancelled meanwhile,
    TimeoutError when nobody answers in time.
    """
    try:
        root = folder.expanduser().resolve()
        is_folder = root.is_dir()
    except (OSError, RuntimeError) as error:  # too long a name; links in a circle, or a home that nobody has
        raise FolderError(
            f"{printable(folder)} cannot be looked at: {getattr(error, 'strerror', None) or error}.",
            advice="Name a folder: postil demo DIR.",
        ) from error
    if not is_folder:
        raise FolderError(f"{printable(folder)} is no folder.", advice="Name a folder: postil demo DIR.")
    opened = postil.run(
        "folder-review",
        trigger=Trigger(source="cli"),
        input={"folder": printable(root), "limit": limit},
        actor=agent("folder-review", version=version("postil")),
    )
    try:
        with opened as run:
            on_run(run.id)
            return _Review(run, root, reports, limit).carry_out(wait, on_question)
    except TimeoutError:  # an OSError too, but nobody's file
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
        found = self._look_around()
        verdicts = self._decide(self._read(found.files))
        flagged = [verdict for verdict in verdicts if verdict.outcome == "flag"]
        prompt = (
            f"{len(verdicts):,} files of {printable(self._root)} were read, {len(flagged):,} flagged"
            f"{_by_rule(flagged)}. Write a report to {printable(self._report_file)}?"
        )
        on_question(self._run.id, prompt)
        answer = self._ask(prompt, wait)
        accepted = answer.get("outcome") == "accept"
        report = self._write(found, verdicts) if accepted else None
        if not accepted:
            self._stand_down(answer)
        self._run.complete(
            {"files": len(verdicts), "flagged": len(flagged), "report": printable(report) if report else None}
        )
        return Outcome(self._run.id, len(verdicts), len(flagged), report)

    def _ask(self, prompt: str, wait: float | None) -> dict[str, Json]:
        # Nobody knows how long the answer takes, and Postgres may be restarted meanwhile:
        # asking again under the same id is to go on waiting.
        patient = Retrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_fixed(1),
            stop=lambda state: (
                state.idle_for > PATIENCE
            ),  # time without a database, not time without an answer
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
            found = self._list()
            result: dict[str, Json] = {
                "files": len(found.files),
                "skipped": list(found.skipped),
                "beyond_the_limit": found.beyond_limit,
            }
            stage.complete(result)
            if found.beyond_limit:
                stage.annotate(
                    Decision(
                        outcome=f"read {len(found.files):,} files only",
                        rationale=f"There are {found.beyond_limit:,} more at least; the limit is {self._limit:,} (--limit).",
                    )
                )
        return found

    def _list(self) -> Listing:
        kept: list[Listing] = []

        @tool
        def list_folder(folder: str) -> dict[str, Json]:
            kept.append(
                listing(
                    self._root, limit=self._limit, leave_out=frozenset({self._reports, self._reports.parent})
                )
            )
            kinds = Counter(path.suffix.lower() or "(none)" for path in kept[0].files)
            return {"folder": folder, "files": len(kept[0].files), "by_suffix": dict(kinds.most_common(20))}

        list_folder(printable(self._root))
        return kept[0]

    def _read(self, files: list[Path]) -> list[Seen]:
        paths = {printable(path.relative_to(self._root)): path for path in files}

        @tool
        def read_file(path: str) -> Seen:
            return look_at(paths[path], path)

        with self._run.stage("Read and hash") as stage:
            seen = [read_file(name) for name in paths]
            stage.complete({"files": len(seen), "bytes": sum(item["bytes"] for item in seen)})
        return seen

    def _decide(self, seen: list[Seen]) -> list[Verdict]:
        with self._run.stage("Decide") as stage:
            verdicts = judge(seen)
            flagged = [verdict for verdict in verdicts if verdict.outcome == "flag"]
            for verdict in flagged[:DECISIONS]:
                stage.annotate(
                    Decision(
                        outcome=verdict.outcome,
                        rationale=f"{verdict.seen['path'][:500]}: {verdict.rationale}",
                        confidence=verdict.confidence,
                        alternatives=["keep"],
                        payload={"rule": verdict.rule, **verdict.seen},
                    )
                )
            kept = len(verdicts) - len(flagged)
            if kept:
                stage.annotate(
                    Decision(
                        outcome="keep",
                        rationale=f"{kept:,} files: readable, no content like it before them, of ordinary size, "
                        "nothing in them that looks like a secret.",
                    )
                )
            if len(flagged) > DECISIONS:
                stage.annotate({"demo.decisions_left_to_the_report": len(flagged) - DECISIONS})
            stage.complete(
                {"keep": kept, "flag": len(flagged), "by_rule": dict(Counter(item.rule for item in flagged))}
            )
        return verdicts

    def _write(self, found: Listing, verdicts: list[Verdict]) -> Path:
        target = self._report_file
        text = render(printable(self._root), self._run.id, found, verdicts)

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
            said = f": {note}" if isinstance(note, str) and note else ""
            stage.annotate(Decision(outcome="write nothing", rationale=f"The report was declined{said}."))


def _by_rule(flagged: list[Verdict]) -> str:
    counts = Counter(verdict.rule for verdict in flagged)
    return f" ({', '.join(f'{count:,} {rule}' for rule, count in counts.most_common())})" if counts else ""
