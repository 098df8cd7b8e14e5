"""The parts of an event log, as the standard names them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Attribute:
    """One typed attribute; a list or container has children only, the others a value and perhaps children."""

    type: str
    key: str
    value: str | None
    # None rather than an empty list: a log has millions of attributes, and next to none have children.
    children: list[Attribute] | None = None


@dataclass(slots=True)
class Event:
    """One event of a case, with the line it starts at."""

    line: int
    attributes: list[Attribute] = field(default_factory=list[Attribute])


@dataclass(slots=True)
class Case:
    """One trace, with the line it starts at. `flaw` is what makes it unusable, with its line."""

    line: int
    attributes: list[Attribute] = field(default_factory=list[Attribute])
    events: list[Event] = field(default_factory=list[Event])
    flaw: tuple[int, str] | None = None


@dataclass(slots=True)
class Classifier:
    """What makes two events the same activity: the values of `keys`, joined."""

    name: str
    scope: str
    keys: str


@dataclass(slots=True)
class Log:
    """What stands before the cases: it describes the log, and tells how to read its events."""

    version: str = ""
    extensions: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    trace_defaults: list[Attribute] = field(default_factory=list[Attribute])
    event_defaults: list[Attribute] = field(default_factory=list[Attribute])
    classifiers: list[Classifier] = field(default_factory=list[Classifier])
    attributes: list[Attribute] = field(default_factory=list[Attribute])
