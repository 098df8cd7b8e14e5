"""Moves histories from a reader to the database in batches of bounded size. A few batches are written while the next is read."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from postil.errors import IdempotencyConflict, PostilError, WriteRefused
from postil.importers.errors import BadCase, InputUnreadable, MalformedInput, shown
from postil.importers.formats import SUFFIXES, Format, format_of
from postil.importers.histories import Options, Parsed
from postil.importers.report import FileReport
from postil.importers.source import Source
from postil.importers.writer import Encoded, Outcome, Writer

BATCH_CHARACTERS = 512 * 1024
"""A batch is written when it has this many characters of JSON."""
BATCH_RUNS = 500
"""A batch is written when it has this many runs."""
IN_PROGRESS = 3
"""How many batches may exist at once: one being read, the others being written."""


def import_file(
    path: Path,
    writer: Writer,
    options: Options | None = None,
    *,
    on_start: Callable[[int], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> FileReport:
    """Import one file and return its report. Problems of the file are in the report and are not raised.

    `on_start` is called with the file's size in bytes, `on_progress` with the number of bytes read so far.
    Raises `PostilError` if the database stays unavailable. The runs written before are complete; a second import adds the rest.
    """
    report = FileReport(file=shown(path))
    began = time.monotonic()
    try:
        with Source(path, SUFFIXES) as source:
            file_format = format_of(path)
            report.format, report.records_called = file_format.name, file_format.records
            on_start(source.size)
            _Load(source, file_format, options or Options(), writer, report, on_progress).run()
        report.complete = True
    except (MalformedInput, InputUnreadable) as error:
        report.add_problem(error)
    finally:
        report.seconds = time.monotonic() - began
    return report


class _Load:
    """The import of one file."""

    def __init__(
        self,
        source: Source,
        file_format: Format,
        options: Options,
        writer: Writer,
        report: FileReport,
        on_progress: Callable[[int], None],
    ) -> None:
        self._source = source
        self._format = file_format
        self._options = options
        self._writer = writer
        self._report = report
        self._on_progress = on_progress
        self._in_progress: deque[Future[list[Outcome]]] = deque()

    def run(self) -> None:
        """Read, batch and write. Cases read before an error in the file are written before the error is raised."""
        pool = ThreadPoolExecutor(IN_PROGRESS - 1, thread_name_prefix="import")
        try:
            for batch in self._batches():
                self._in_progress.append(pool.submit(self._writer.record, batch))
                while len(self._in_progress) >= IN_PROGRESS:
                    self._settle()
                self._on_progress(self._source.consumed)
            self._settle_all()
        except (MalformedInput, InputUnreadable):
            self._settle_all()
            raise
        except BaseException:
            # The database stayed unavailable, or the user pressed Ctrl-C: the other threads must stop waiting.
            self._writer.give_up()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        self._on_progress(self._source.size)

    def _batches(self) -> Iterator[list[Encoded]]:
        batch: list[Encoded] = []
        characters = 0
        try:
            for parsed in self._parsed():
                text = json.dumps(parsed.history, ensure_ascii=False, separators=(",", ":"))
                encoded = Encoded(parsed.history["run_id"], parsed.where, parsed.records, text)
                batch.append(encoded)
                characters += len(encoded.text)
                if characters >= BATCH_CHARACTERS or len(batch) >= BATCH_RUNS:
                    yield batch
                    batch, characters = [], 0
        except (MalformedInput, InputUnreadable):
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    def _parsed(self) -> Iterator[Parsed]:
        name = self._options.name or self._format.log_name or self._source.stem
        for case in self._format.read(self._source, name, self._options):
            if isinstance(case, BadCase):
                self._report.bad += 1
                self._report.add_problem(case)
            else:
                self._report.add_remarks(case.remarks)
                yield case

    def _settle_all(self) -> None:
        while self._in_progress:
            self._settle()

    def _settle(self) -> None:
        for outcome in self._in_progress.popleft().result():
            if outcome.refused is not None:
                self._report.add_problem(self._problem(outcome, outcome.refused))
                continue
            self._report.records += outcome.encoded.records
            if outcome.created:
                self._report.new += 1
                self._report.events += outcome.events
            else:
                self._report.unchanged += 1

    def _problem(self, outcome: Outcome, refused: WriteRefused) -> PostilError:
        where, run_id = outcome.encoded.where, outcome.encoded.run_id
        if isinstance(refused, IdempotencyConflict):
            self._report.conflicts += 1
            return BadCase(
                self._source.path,
                where,
                f"Run {run_id} is already recorded with other content. It was not changed.",
                advice="To keep both, import this file under another name: --name NAME.",
            )
        self._report.bad += 1
        return BadCase(self._source.path, where, f"Run {run_id}: {refused.what}.", advice=refused.advice)
