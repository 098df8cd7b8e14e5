"""Turns each case of an event log into the history of a run. docs/guides/import.md is this file in prose."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from postil.importing.errors import BadCase, BadValue
from postil.importing.histories import Actor, History, Json, Options, Parsed, Step
from postil.importing.limits import BODY_LIMIT, VALUE_LIMIT, fit
from postil.importing.names import annotation_key, run_id, within
from postil.importing.source import Source
from postil.importing.xes import decisions
from postil.importing.xes.lifecycle import TELLING, Lifecycle
from postil.importing.xes.log import Attribute, Case, Event, Log
from postil.importing.xes.parser import LogParser
from postil.importing.xes.values import as_object, instant

NAME, TIME, RESOURCE, TRANSITION, INSTANCE = (
    "concept:name", "time:timestamp", "org:resource", "lifecycle:transition", "concept:instance",
)  # fmt: skip
STARTED = "start_timestamp"
"""Not of the standard, but widely written: when the activity that this event completes began."""
CASE_ANNOTATIONS = 32
"""At most so many attributes of a case become annotations of their own; all of them are in the run's input."""
# Prefixes of the standard's own extensions: they tell how an event happened, not what became of the case.
_STANDARD = frozenset(
    "concept lifecycle org time identity cost micro semantic artifactlifecycle swcomm swevent swtelemetry".split()
)
_ADVICE = "Correct it there and import again; the other cases are not touched."


def read(source: Source, name: str, options: Options) -> Iterator[Parsed | BadCase]:
    """Yield each case of the log as a history, or as the error that keeps it out.

    Raises `MalformedInput` where the file itself is broken, `InputUnreadable` where reading fails.
    """
    parser = LogParser(source.path)
    lines: dict[int, int] = {}
    for case in parser.cases(source.chunks()):
        where = f"line {case.line:,}"
        try:
            if case.flaw:
                line, problem = case.flaw
                yield BadCase(source.path, f"line {line:,}", f"{problem}.", advice=_ADVICE)
                continue
            mapped = _CaseMapping(case, parser.log, name, options)
            first = lines.setdefault(hash(mapped.case_id), case.line) if len(lines) < _REMEMBERED else case.line
            if first != case.line:
                raise _BadEvent(case.line, f"Case {mapped.case_id!r} is in the file twice; it was first at line {first:,}")
            history, notes = mapped.history()
            yield Parsed(history, where, len(case.events), notes)
        except _BadEvent as error:
            yield BadCase(source.path, f"line {error.line:,}", f"{error.problem}.", advice=_ADVICE)


_REMEMBERED = 500_000
"""Cases whose ids are remembered to find one that is there twice; beyond, only the database tells."""


class _BadEvent(Exception):
    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(problem)


class _CaseMapping:
    """One case on its way to a history."""

    def __init__(self, case: Case, log: Log, name: str, options: Options) -> None:
        self._case = case
        self._log = log
        self._name = name
        self._zone = options.zone
        self._notes: dict[str, int] = {}
        self._prefixes = _STANDARD | {extension.get("prefix", "") for extension in log.extensions}
        found = {attribute.key: attribute.value for attribute in reversed(case.attributes)}
        case_id = found.get(NAME) or found.get("identity:id")
        if not case_id or not case_id.strip():
            raise _BadEvent(case.line, f"The case has no name ({NAME})")
        self.case_id = case_id

    def history(self) -> tuple[History, dict[str, int]]:
        """The run's history, and what its reader should know about how it was read."""
        values = self._object(self._case.attributes, self._case.line)
        times = self._times()
        known = [time for time in times if time is not None]
        steps: list[Step] = []
        self._annotate_case(steps, values, times[0] if times else None)
        self._add_events(steps, times)
        for key, value in decisions.of_attributes(self._own(values)).items():
            steps.append(self._annotation(key, value, at=times[-1] if times else None))
        metadata: dict[str, Json] = {"format": "xes", "log": self._log_title(), "case": self.case_id}
        if self._log.classifiers:
            metadata["classifiers"] = {item.name: item.keys for item in self._log.classifiers if item.scope == "event"}
        history: History = {
            "run_id": run_id(self._name, self.case_id),
            "name": self._name,
            "status": "completed",
            "trigger": {"source": "import", "action": "import"},
            "input": self._fit(values, BODY_LIMIT),
            "metadata": self._fit(metadata, BODY_LIMIT),
            "steps": steps,
        }
        if known:
            history["recorded_at"] = history["started_at"] = min(known).isoformat()
            history["ended_at"] = max(known).isoformat()
        if known != sorted(known):
            self._note("cases whose events are not in the order of their times")
        if actor := self._actor({attribute.key: attribute for attribute in self._case.attributes}):
            history["actor"] = actor
        return history, self._notes

    # Events

    def _add_events(self, steps: list[Step], times: list[datetime | None]) -> None:
        lifecycle = Lifecycle()
        objects = [self._object(event.attributes, event.line) for event in self._case.events]
        owns = [self._own(found) for found in objects]
        lasting = _lasting(owns)
        current: dict[str, Json] = {}
        for event, own, at in zip(self._case.events, owns, times, strict=True):
            given: dict[str, Attribute] = {}
            for attribute in event.attributes:
                given.setdefault(attribute.key, attribute)
            activity = self._activity(event, given)
            actor = self._actor(given)
            transition = _text(given, TRANSITION)
            applied = lifecycle.apply(activity, _text(given, INSTANCE), transition)
            rest = self._rest(event, given, actor)
            step = _Steps(steps, applied.stage_id, activity, at, actor)
            for change in applied.changes[: 1 if applied.ends else None]:
                if applied.changes != (change,) or not applied.ends:
                    begun = self._began(given, event) if change == "started" and applied.ends else None
                    step.stage(change, at=begun)
            decided = decisions.of_attributes(own) or decisions.of_activity(activity, own)
            for key, value in decided.items():
                step.add(self._annotation(key, value))
            for key, value in own.items():
                if key in lasting and (key not in current or current[key] != value):
                    step.add(self._annotation(annotation_key("xes", key), value, source_key=key))
                    current[key] = value
            if applied.ends:
                ending = applied.changes[-1]
                error: Json = {"transition": transition, "message": f"{activity}: {transition}"} if ending == "failed" else None
                step.stage(ending, result=self._fit(rest, BODY_LIMIT) if rest else None, error=error)
            elif rest or not applied.changes:
                event_value: dict[str, Json] = {"transition": transition, **rest} if not applied.changes else rest
                step.add(self._annotation("xes.event", event_value))
        if unfinished := lifecycle.unfinished():
            self._note("stages that began and of which the log knows no end", len(unfinished))
            steps.append(self._annotation("xes.unfinished", list(unfinished), at=times[-1]))

    def _activity(self, event: Event, given: dict[str, Attribute]) -> str:
        if named := _text(given, NAME):
            return named
        for classifier in self._log.classifiers:
            values = [_text(given, key) for key in classifier.keys.split()]
            if classifier.scope == "event" and values and all(values):
                return "+".join(value for value in values if value)
        raise _BadEvent(event.line, f"The event has no name ({NAME}), and no classifier of the log gives it one")

    def _actor(self, given: dict[str, Attribute]) -> Actor | None:
        resource = _text(given, RESOURCE)
        if not resource:
            return None
        # What the log declares as its default ("UNKNOWN") is nobody; it stays among the event's attributes.
        if any(default.key == RESOURCE and default.value == resource for default in self._log.event_defaults):
            return None
        return {"kind": "user", "id": within(resource)}

    def _rest(self, event: Event, given: dict[str, Attribute], actor: Actor | None) -> dict[str, Json]:
        """The event's attributes without those that became the stage's name, time, actor and state."""
        transition = (_text(given, TRANSITION) or "complete").lower()
        told = {NAME, TIME}
        if actor:
            told.add(RESOURCE)
        if transition in {"start", "complete", "suspend", "resume"}:
            told.add(TRANSITION)
        return self._object(
            [
                attribute
                for attribute in event.attributes
                if attribute.key not in told or attribute is not given[attribute.key] or attribute.children
            ],
            event.line,
        )

    def _began(self, given: dict[str, Attribute], event: Event) -> datetime | None:
        found = given.get(STARTED)
        return self._instant(found, event.line) if found and found.type == "date" else None

    # Times

    def _times(self) -> list[datetime | None]:
        """Each event's time; one without takes that of the event before it, at the beginning of the one after."""
        found: list[datetime | None] = []
        for event in self._case.events:
            stamp = next((item for item in event.attributes if item.key == TIME), None)
            found.append(self._instant(stamp, event.line) if stamp else None)
        if None not in found:
            return found
        self._note("events without a time (the time of their neighbour was taken)", found.count(None))
        last = next((time for time in found if time), None)
        for index, time in enumerate(found):
            last = found[index] = time or last
        return found

    def _instant(self, attribute: Attribute, line: int) -> datetime:
        try:
            return instant(attribute, self._zone)
        except BadValue as error:
            raise _BadEvent(line, str(error)) from None

    # Attributes

    def _annotate_case(self, steps: list[Step], values: dict[str, Json], at: datetime | None) -> None:
        for key, value in list(self._own(values).items())[:CASE_ANNOTATIONS]:
            steps.append(self._annotation(annotation_key("xes", key), value, source_key=key, at=at))

    def _annotation(self, key: str, value: Json, *, source_key: str | None = None, at: datetime | None = None) -> Step:
        step: Step = {"type": "annotation:created", "key": key, "value": self._fit(value, VALUE_LIMIT), "scope": "run"}
        if source_key and key != f"xes.{source_key.replace(':', '.')}":
            step["payload"] = self._fit({"key": source_key}, BODY_LIMIT)
        if at:
            step["at"] = at.isoformat()
        return step

    def _own(self, values: dict[str, Json]) -> dict[str, Json]:
        """The attributes that are the log's own, not of the standard or a declared extension."""
        return {
            key: value
            for key, value in values.items()
            if key[:1] != "@" and key != STARTED and key.partition(":")[0] not in self._prefixes
        }

    def _object(self, attributes: list[Attribute], line: int) -> dict[str, Json]:
        try:
            return as_object(attributes)
        except BadValue as error:
            raise _BadEvent(line, str(error)) from None

    def _log_title(self) -> str:
        return next((item.value for item in self._log.attributes if item.key == NAME and item.value), self._name)

    def _fit(self, value: Json, limit: int) -> Json:
        fitted, markers = fit(value, limit)
        if markers:
            self._note("values too large to store (a marker with size and SHA-256 stands for each)", markers)
        return fitted

    def _note(self, remark: str, times: int = 1) -> None:
        self._notes[remark] = self._notes.get(remark, 0) + times


class _Steps:
    """Appends the steps one event gives rise to, all with its stage, time and actor."""

    def __init__(self, steps: list[Step], stage_id: str, activity: str, at: datetime | None, actor: Actor | None) -> None:
        self._steps = steps
        self._stage_id = stage_id
        self._activity = activity
        self._at = at.isoformat() if at else None
        self._actor = actor

    def stage(self, change: str, *, at: datetime | None = None, **fields: Any) -> None:
        step: Step = {"type": f"stage:{change}", "id": self._stage_id}
        if change == "started":
            step["name"] = self._activity
        step.update({name: value for name, value in fields.items() if value is not None})  # type: ignore[typeddict-item]  # result, error
        self._steps.append(self._stamped(step, at))

    def add(self, annotation: Step) -> None:
        annotation["scope"] = "stage"
        annotation["scope_id"] = annotation["stage_id"] = self._stage_id
        self._steps.append(self._stamped(annotation, None))

    def _stamped(self, step: Step, at: datetime | None) -> Step:
        if when := at.isoformat() if at else self._at:
            step["at"] = when
        if self._actor:
            step["actor"] = self._actor
        return step


def _text(given: dict[str, Attribute], key: str) -> str | None:
    found = given.get(key)
    return found.value if found and found.value and found.value.strip() else None


def _lasting(events: list[dict[str, Json]]) -> set[str]:
    """The attributes that are carried from event to event, and change now and then: facts about the case.

    One that changes at more than half of the events that have it is a measurement of each event,
    and is left in that event's result.
    """
    seen: dict[str, list[Json]] = {}
    for values in events:
        for key, value in values.items():
            seen.setdefault(key, []).append(value)
    return {
        key
        for key, values in seen.items()
        if 2 * sum(a != b for a, b in zip(values, values[1:], strict=False)) <= len(values) - 1
    }
