"""Moves histories from a reader to the database: batches bounded in bytes, a few of them under way while the next is read."""

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
BATCH_RUNS = 500
UNDER_WAY = 3


def import_file(
    path: Path,
    writer: Writer,
    options: Options | None = None,
    *,
    on_start: Callable[[int], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> FileReport:
    """Import one file and report what became of it; what is wrong with the file is in the report, not raised.

    `on_start` is told the file's size in bytes, `on_progress` how many of them have been read.
    Raises `PostilError` where the database cannot go on: what was written stays whole, a second import completes it.
    """
    report = FileReport(file=shown(path))
    began = time.monotonic()
    try:
        with Source(path, SUFFIXES) as source:
            chosen = format_of(path)
            report.format, report.records_called = chosen.name, chosen.records
            on_start(source.size)
            _Load(source, chosen, options or Options(), writer, report, on_progress).run()
        report.complete = True
    except (MalformedInput, InputUnreadable) as error:
        report.add_problem(error)
    finally:
        report.seconds = time.monotonic() - began
    return report


class _Load:
    """One file on its way."""

    def __init__(
        self,
        source: Source,
        chosen: Format,
        options: Options,
        writer: Writer,
        report: FileReport,
        on_progress: Callable[[int], None],
    ) -> None:
        self._source = source
        self._format = chosen
        self._options = options
        self._writer = writer
        self._report = report
        self._on_progress = on_progress
        self._under_way: deque[Future[list[Outcome]]] = deque()

    def run(self) -> None:
        """Read, batch and write. What was read before an error of the file is written before the error is raised."""
        pool = ThreadPoolExecutor(UNDER_WAY - 1, thread_name_prefix="import")
        try:
            for batch in self._batches():
                self._under_way.append(pool.submit(self._writer.record, batch))
                while len(self._under_way) >= UNDER_WAY:
                    self._settle()
                self._on_progress(self._source.consumed)
            self._settle_all()
        except (MalformedInput, InputUnreadable):
            self._settle_all()
            raise
        except (
            BaseException
        ):  # the database went away for good, or Ctrl-C: whoever still waits for it stops waiting
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
        for found in self._format.read(self._source, name, self._options):
            if isinstance(found, BadCase):
                self._report.bad += 1
                self._report.add_problem(found)
            else:
                self._report.add_notes(found.notes)
                yield found

    def _settle_all(self) -> None:
        while self._under_way:
            self._settle()

    def _settle(self) -> None:
        for outcome in self._under_way.popleft().result():
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
                f"Run {run_id} is recorded already, with other content; it was left as it is.",
                advice="If both are meant, import this file under another name: --name NAME.",
            )
        self._report.bad += 1
        return BadCase(self._source.path, where, f"Run {run_id}: {refused.what}.", advice=refused.advice)
