"""Reads XES as a stream with expat: one case in memory at a time, exact lines, no DTD, no entities, no network.

Expat calls a function at each tag, so memory holds one case whatever the file's size. A tree builder would hold the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from xml.parsers import expat

from postil.importers.errors import MalformedInput
from postil.importers.xes.elements import Attribute, Case, Classifier, Event, Log

TYPES = frozenset({"string", "date", "int", "float", "boolean", "id", "list", "container"})
CASE_BYTES = 32 * 1024 * 1024
"""Largest case, in bytes of XML."""
CASE_EVENTS = 100_000
"""Most events of a case."""
TAG_BYTES = 8 * 1024 * 1024
"""Largest tag, in bytes of XML."""
HEADER_BYTES = 32 * 1024 * 1024
"""Most bytes of XML before the first case."""
DEPTH = 30
"""Deepest nesting of tags."""
INVALID_TOKEN = expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]

_Parent = Log | Case | Event | Attribute | None


class LogParser:
    """A push parser: `cases(chunks)` yields each trace as soon as it is complete. `log` is complete before the first trace."""

    def __init__(self, path: Path) -> None:
        self.log = Log()
        self._path = path
        self._complete: list[Case] = []
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
            "values": lambda _: self._open[
                -1
            ],  # the items of a list (standard of 2016) belong to the list itself
            "global": self._start_global,
            "extension": self._start_extension,
            "classifier": self._start_classifier,
        }

    def cases(self, chunks: Iterable[bytes]) -> Iterator[Case]:
        """Yield the cases in the order of the file.

        Raises `MalformedInput` where the XML is broken, after yielding the cases before that position.
        """
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
        except (
            ValueError,
            LookupError,
        ) as error:  # an encoding that neither expat nor Python can read in chunks
            raise self.malformed(
                f"The encoding cannot be read: {error}.", "Save the file as UTF-8."
            ) from None
        except MalformedInput:
            yield from self._take()
            raise
        yield from self._take()

    def malformed(self, problem: str, advice: str) -> MalformedInput:
        """Return the error for a file that is broken at the parser's position."""
        return MalformedInput(self._path, self._place(), problem, advice=advice)

    def _take(self) -> Iterator[Case]:
        complete, self._complete = self._complete, []
        yield from complete

    def _place(self) -> str:
        return f"line {self._parser.CurrentLineNumber:,}, column {self._parser.CurrentColumnNumber + 1:,}"

    def _stay_bounded(self, fed: int) -> None:
        if fed - max(self._parser.CurrentByteIndex, 0) > TAG_BYTES:
            raise self.malformed(
                f"One tag is longer than {TAG_BYTES:,} bytes.",
                "Event logs have no such values: check the file.",
            )
        if self._case and not self._case.flaw and fed - self._case_byte > CASE_BYTES:
            self._spoil(f"The case is larger than {CASE_BYTES:,} bytes")
        if self._header and fed > HEADER_BYTES:
            raise self.malformed(
                f"No trace within the first {HEADER_BYTES:,} bytes.", "Check that the file is an event log."
            )

    def _spoil(self, problem: str, line: int | None = None) -> None:
        """Mark the open case as unusable and free its content."""
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
        elif not chunk:  # all was fed, and expat expects more
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

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if ":" in tag:  # the file may use any prefix for the standard's namespace
            tag = tag.rpartition(":")[2]
        if len(self._open) >= DEPTH:
            raise self.malformed(
                f"Tags are nested more than {DEPTH} deep.",
                "Check the file: attributes nest a few levels at most.",
            )
        if tag in TYPES:
            self._open.append(self._start_attribute(tag, attributes))
        elif not self._open and tag != "log":
            raise self.malformed(
                f"This is not an event log: its root is <{tag}>, not <log>.", "Check that the file is XES."
            )
        elif start := self._starts.get(tag):
            self._open.append(start(attributes))
        elif "key" in attributes and isinstance(self._open[-1], Event | Case):
            self._open.append(self._start_attribute(tag, attributes))  # an unknown type: its text is kept
        else:
            self._open.append(None)

    def _end(self, _tag: str) -> None:
        element = self._open.pop()
        if isinstance(element, Case):
            self._complete.append(element)
            self._case = None

    def _start_attribute(self, tag: str, attributes: dict[str, str]) -> Attribute | None:
        key = attributes.get("key")
        parent = self._open[-1] if self._open else None
        if parent is None:
            return None
        if key is None:
            self._spoil(f"A <{tag}> has no key")
            return None
        attribute = Attribute(tag, key, attributes.get("value"))
        # Only what is used is stored: memory must not grow with an unusable case, or with what follows the cases.
        if not self._case.flaw if self._case else self._header:
            if not isinstance(parent, Attribute):
                parent.attributes.append(attribute)
            elif parent.children is None:
                parent.children = [attribute]
            else:
                parent.children.append(attribute)
        return attribute

    def _start_log(self, attributes: dict[str, str]) -> Log:
        self.log.version = attributes.get("xes.version", "")
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
            self._complete.append(
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

    def _start_global(self, attributes: dict[str, str]) -> Event:
        # The attributes are collected as those of an event would be; only their list is used.
        defaults = self.log.trace_defaults if attributes.get("scope") == "trace" else self.log.event_defaults
        return Event(0, defaults)

    def _start_extension(self, attributes: dict[str, str]) -> None:
        if self._header and len(self.log.extensions) < 1000:
            self.log.extensions.append(attributes)

    def _start_classifier(self, attributes: dict[str, str]) -> None:
        if self._header and len(self.log.classifiers) < 1000:
            self.log.classifiers.append(
                Classifier(
                    attributes.get("name", ""), attributes.get("scope", "event"), attributes.get("keys", "")
                )
            )
