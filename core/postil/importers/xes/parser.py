"""Reads XES as a stream with expat: one case in memory at a time, exact lines, no DTD, no entities, no network.

Expat rather than a tree builder: it calls us at each tag, so that memory is that of one case whatever the file's size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from xml.parsers import expat

from postil.importers.errors import MalformedInput
from postil.importers.xes.log import Attribute, Case, Classifier, Event, Log

TYPES = frozenset({"string", "date", "int", "float", "boolean", "id", "list", "container"})
CASE_BYTES = 32 * 1024 * 1024
CASE_EVENTS = 100_000
TAG_BYTES = 8 * 1024 * 1024
HEADER_BYTES = 32 * 1024 * 1024
DEPTH = 30
INVALID_TOKEN = expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]

_Parent = Log | Case | Event | Attribute | None


class LogParser:
    """A push parser: `cases(chunks)` yields each trace as soon as it is whole; `log` fills up before the first."""

    def __init__(self, path: Path) -> None:
        self.log = Log()
        self._path = path
        self._done: list[Case] = []
        self._open: list[_Parent] = []
        self._case: Case | None = None
        self._case_byte = 0
        self._header = True
        parser = self._parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = self._doctype
        self._starts: dict[str, Callable[[dict[str, str]], _Parent]] = {
            "log": self._start_log,
            "trace": self._start_trace,
            "event": self._start_event,
            "values": lambda _: self._open[-1],  # the items of a list (2016) hang on the list itself
            "global": self._start_global,
            "extension": self._start_extension,
            "classifier": self._start_classifier,
        }

    def cases(self, chunks: Iterable[bytes]) -> Iterator[Case]:
        """Yield the cases in the file's order. Raises `MalformedInput` where the XML is broken; what came before was yielded."""
        fed = 0
        chunk = b""
        try:
            for chunk in chunks:
                fed += len(chunk)
                self._parser.Parse(chunk, False)
                yield from self._take()
                self._stay_bounded(fed)
            chunk = b""
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            yield from self._take()
            raise self._broken(error, chunk, fed) from None
        except (ValueError, LookupError) as error:  # an encoding neither expat nor Python can read piecewise
            raise self.malformed(
                f"The encoding cannot be read: {error}.", "Save the file as UTF-8."
            ) from None
        except MalformedInput:
            yield from self._take()
            raise
        yield from self._take()

    def malformed(self, problem: str, advice: str) -> MalformedInput:
        """The error for a file that is broken where the parser stands."""
        return MalformedInput(self._path, self._place(), problem, advice=advice)

    def _take(self) -> Iterator[Case]:
        done, self._done = self._done, []
        yield from done

    def _place(self) -> str:
        return f"line {self._parser.CurrentLineNumber:,}, column {self._parser.CurrentColumnNumber + 1:,}"

    def _stay_bounded(self, fed: int) -> None:
        if fed - max(self._parser.CurrentByteIndex, 0) > TAG_BYTES:
            raise self.malformed(
                f"One tag is longer than {TAG_BYTES:,} bytes.",
                "No event log has such a value: check the file.",
            )
        if self._case and not self._case.flaw and fed - self._case_byte > CASE_BYTES:
            self._spoil(f"The case is larger than {CASE_BYTES:,} bytes")
        if self._header and fed > HEADER_BYTES:
            raise self.malformed(
                f"No trace within the first {HEADER_BYTES:,} bytes.", "Check that the file is an event log."
            )

    def _spoil(self, problem: str, line: int | None = None) -> None:
        """Mark the open case unusable and let go of what it holds."""
        if self._case and not self._case.flaw:
            self._case.flaw = (line or self._parser.CurrentLineNumber, problem)
        if self._case:
            self._case.events.clear()
            self._case.attributes.clear()

    def _broken(self, error: expat.ExpatError, chunk: bytes, fed: int) -> MalformedInput:
        where = f"line {error.lineno:,}, column {error.offset + 1:,}"
        byte = chunk[self._parser.ErrorByteIndex - (fed - len(chunk)) :][:1] if chunk else b""
        if not fed:
            problem, advice = "The file is empty", "Check the file."
        elif not chunk:  # all was fed, and expat waits for more
            problem = "The file ends before </log>"
            advice = "It was cut off: fetch it again; the import completes what is missing."
        elif byte >= b"\x80" and error.code == INVALID_TOKEN:
            problem = f"The byte 0x{byte.hex()} does not belong to the encoding the file declares (UTF-8, if it declares none)"
            advice = 'Correct the first line, as in <?xml version="1.0" encoding="ISO-8859-1"?>, or convert the file.'
        else:
            problem, advice = (
                f"The XML is broken: {expat.ErrorString(error.code)}",
                "Correct it there and import again.",
            )
        return MalformedInput(self._path, where, f"{problem}.", advice=advice)

    def _doctype(self, *_: object) -> None:
        raise self.malformed(
            "A document type (DTD) is declared; XES has none, and entities can be used to attack the reader.",
            "Remove the <!DOCTYPE …> declaration.",
        )

    # Tags

    def _start(self, tag: str, given: dict[str, str]) -> None:
        if ":" in tag:  # whatever prefix the file gives the standard's namespace
            tag = tag.rpartition(":")[2]
        if len(self._open) >= DEPTH:
            raise self.malformed(
                f"Tags are nested more than {DEPTH} deep.",
                "Check the file: attributes nest a few levels at most.",
            )
        if tag in TYPES:
            self._open.append(self._start_attribute(tag, given))
        elif not self._open and tag != "log":
            raise self.malformed(
                f"This is no event log: its root is <{tag}>, not <log>.", "Check that the file is XES."
            )
        elif start := self._starts.get(tag):
            self._open.append(start(given))
        elif "key" in given and isinstance(self._open[-1], Event | Case):
            self._open.append(self._start_attribute(tag, given))  # a type of somebody's own: kept as its text
        else:
            self._open.append(None)

    def _end(self, _tag: str) -> None:
        ended = self._open.pop()
        if isinstance(ended, Case):
            self._done.append(ended)
            self._case = None

    def _start_attribute(self, tag: str, given: dict[str, str]) -> Attribute | None:
        key = given.get("key")
        parent = self._open[-1] if self._open else None
        if parent is None:
            return None
        if key is None:
            self._spoil(f"A <{tag}> has no key")
            return None
        attribute = Attribute(tag, key, given.get("value"))
        # What nobody will read is not kept: memory must not grow with a spoiled case, or with what follows the cases.
        if not self._case.flaw if self._case else self._header:
            if not isinstance(parent, Attribute):
                parent.attributes.append(attribute)
            elif parent.children is None:
                parent.children = [attribute]
            else:
                parent.children.append(attribute)
        return attribute

    def _start_log(self, given: dict[str, str]) -> Log:
        self.log.version = given.get("xes.version", "")
        return self.log

    def _start_trace(self, _: dict[str, str]) -> Case:
        self._header = False
        self._case = Case(self._parser.CurrentLineNumber)
        self._case_byte = self._parser.CurrentByteIndex
        return self._case

    def _start_event(self, _: dict[str, str]) -> Event:
        event = Event(self._parser.CurrentLineNumber)
        if self._case is None:
            self._header = False
            self._done.append(
                Case(
                    event.line,
                    flaw=(event.line, "The event stands outside of any trace, so it belongs to no case"),
                )
            )
        elif not self._case.flaw:
            self._case.events.append(event)
            if len(self._case.events) > CASE_EVENTS:
                self._spoil(f"The case has more than {CASE_EVENTS:,} events")
        return event

    def _start_global(self, given: dict[str, str]) -> Event:
        # Collected like an event's attributes; nothing but the list is of interest.
        kept = self.log.trace_defaults if given.get("scope") == "trace" else self.log.event_defaults
        return Event(0, kept)

    def _start_extension(self, given: dict[str, str]) -> None:
        if self._header and len(self.log.extensions) < 1000:
            self.log.extensions.append(given)

    def _start_classifier(self, given: dict[str, str]) -> None:
        if self._header and len(self.log.classifiers) < 1000:
            self.log.classifiers.append(
                Classifier(given.get("name", ""), given.get("scope", "event"), given.get("keys", ""))
            )
