"""What a log states once for all its cases: its name, its defaults, and how its events are named."""

from __future__ import annotations

from postil.importers.histories import Json, Options
from postil.importers.xes.elements import Attribute, Log

NAME, TIME, RESOURCE = "concept:name", "time:timestamp", "org:resource"
INSTANCE, TRANSITION = "concept:instance", "lifecycle:transition"
STARTED = "start_timestamp"
"""When the activity that an event completes started. Not in the standard, but widely used."""
MAX_KNOWN_CASES = 500_000
"""How many case ids are remembered to detect a repeated case. Beyond that only the database detects it."""

# Prefixes of the standard's extensions. Their attributes describe how an event happened, not the case's data.
_STANDARD = frozenset({
    "concept", "lifecycle", "org", "time", "identity", "cost", "micro", "semantic", "artifactlifecycle", "swcomm",
    "swevent", "swtelemetry",
})  # fmt: skip


class BadEvent(Exception):
    """A case cannot be imported because of the element at `line`."""

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(problem)


class LogContext:
    """The part of a log's header that the mapping of its cases needs."""

    def __init__(self, log: Log, name: str, options: Options) -> None:
        self._first_lines: dict[int, int] = {}  # by the hash of the case's id
        self.name = name
        self.zone = options.zone
        self.standard = _STANDARD | {extension.get("prefix", "") for extension in log.extensions}
        self.activities = [
            item.keys.split() for item in log.classifiers if item.scope == "event" and item.keys.split()
        ]
        # The log's default resource ("UNKNOWN") means that there is no actor.
        self.default_resources = {item.value for item in log.event_defaults if item.key == RESOURCE}
        title = next((item.value for item in log.attributes if item.key == NAME and item.value), name)
        self.metadata: dict[str, Json] = {"format": "xes", "log": title[:1000]}
        if log.classifiers:
            self.metadata["classifiers"] = {
                item.name[:200]: item.keys[:1000] for item in log.classifiers[:20]
            }

    def add_case(self, case_id: str, line: int) -> None:
        """Remember a case. Raises `BadEvent` if the file had a case with this id before."""
        if len(self._first_lines) >= MAX_KNOWN_CASES:
            return
        first = self._first_lines.setdefault(hash(case_id), line)
        if first != line:
            raise BadEvent(line, f"Case {case_id!r} is in the file twice. It was first at line {first:,}")

    def own_attributes(self, values: dict[str, Json]) -> dict[str, Json]:
        """Return the attributes that only this log defines: not the standard, and no extension that the log declares."""
        return {
            key: value
            for key, value in values.items()
            if key[:1] != "@" and key != STARTED and key.partition(":")[0] not in self.standard
        }


def first_by_key(attributes: list[Attribute]) -> dict[str, Attribute]:
    """Return the first attribute of each key."""
    return {attribute.key: attribute for attribute in reversed(attributes)}


def text_of(attributes: dict[str, Attribute], key: str) -> str | None:
    """Return an attribute's text, or None if it is missing or blank."""
    attribute = attributes.get(key)
    return attribute.value if attribute and attribute.value and attribute.value.strip() else None
