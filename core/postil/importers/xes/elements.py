"""The elements of an event log, with the names of the XES standard."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Attribute:
    """One typed attribute. A list or container has only children; other types have a value and may have children."""

    type: str
    key: str
    value: str | None
    # None rather than an empty list, to save memory: a log has millions of attributes, and few have children.
    children: list[Attribute] | None = None


@dataclass(slots=True)
class Event:
    """One event of a case, and the line where it starts."""

    line: int
    attributes: list[Attribute] = field(default_factory=list[Attribute])


@dataclass(slots=True)
class Case:
    """One trace, and the line where it starts. `flaw` is the line and the reason why it cannot be used, if there is one."""

    line: int
    attributes: list[Attribute] = field(default_factory=list[Attribute])
    events: list[Event] = field(default_factory=list[Event])
    flaw: tuple[int, str] | None = None


@dataclass(slots=True)
class Classifier:
    """Defines when two events are the same activity: the joined values of `keys` are equal."""

    name: str
    scope: str
    keys: str


@dataclass(slots=True)
class Log:
    """Everything before the first case: it describes the log and how its events are read."""

    version: str = ""
    extensions: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    trace_defaults: list[Attribute] = field(default_factory=list[Attribute])
    event_defaults: list[Attribute] = field(default_factory=list[Attribute])
    classifiers: list[Classifier] = field(default_factory=list[Classifier])
    attributes: list[Attribute] = field(default_factory=list[Attribute])
