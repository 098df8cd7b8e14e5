"""Turns each case of an event log into the history of a run. docs/guides/import.md is this file in prose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from postil.importers.errors import BadCase, BadValue
from postil.importers.histories import Actor, History, Json, Options, Parsed, Step
from postil.importers.limits import BODY_LIMIT, VALUE_LIMIT, fit
from postil.importers.names import annotation_key, run_id, within
from postil.importers.source import Source
from postil.importers.xes import decisions, facts
from postil.importers.xes.decisions import Decided
from postil.importers.xes.lifecycle import Lifecycle, Transition
from postil.importers.xes.log import Attribute, Case, Event, Log
from postil.importers.xes.parser import LogParser
from postil.importers.xes.values import as_object, instant

NAME, TIME, RESOURCE = "concept:name", "time:timestamp", "org:resource"
INSTANCE, TRANSITION = "concept:instance", "lifecycle:transition"
STARTED = "start_timestamp"
"""Not of the standard, but widely written: when the activity that an event completes began."""
CASE_ANNOTATIONS = 24
"""At most so many attributes of a case become annotations; all of them are in the run's input."""
REMEMBERED = 500_000
"""Cases whose ids are remembered to find one that is there twice; beyond, only the database tells."""

_STRUCTURE = frozenset({NAME, TIME, RESOURCE, INSTANCE, TRANSITION})
# Transitions the stage's own state tells; the others stay among the event's attributes.
_TOLD = frozenset({"start", "complete"})
# Prefixes of the standard's own extensions: they tell how an event happened, not what became of the case.
_STANDARD = frozenset({
    "concept", "lifecycle", "org", "time", "identity", "cost", "micro", "semantic", "artifactlifecycle", "swcomm",
    "swevent", "swtelemetry",
})  # fmt: skip
_ADVICE = "Correct it there and import again; the other cases are not touched."


def read(source: Source, name: str, options: Options) -> Iterator[Parsed | BadCase]:
    """Yield each case of the log as a history, or as the error that keeps it out.

    Raises `MalformedInput` where the file itself is broken, `InputUnreadable` where reading fails.
    """
    parser = LogParser(source.path)
    context: _Context | None = None
    for case in parser.cases(source.chunks()):
        # The parser has read all that describes the log before it comes to the first case.
        context = context or _Context(parser.log, name, options)
        try:
            mapped = _CaseMapping(case, context)
            yield Parsed(mapped.history(), f"line {case.line:,}", len(case.events), mapped.notes)
        except _BadEvent as error:
            yield BadCase(source.path, f"line {error.line:,}", f"{error.problem}.", advice=_ADVICE)


class _BadEvent(Exception):
    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(problem)


class _Context:
    """What the log says once, for all its cases."""

    def __init__(self, log: Log, name: str, options: Options) -> None:
        self._seen: dict[int, int] = {}
        self.name = name
        self.zone = options.zone
        self.standard = _STANDARD | {extension.get("prefix", "") for extension in log.extensions}
        self.activities = [
            item.keys.split() for item in log.classifiers if item.scope == "event" and item.keys.split()
        ]
        # What the log declares as its default ("UNKNOWN") is nobody.
        self.nobody = {item.value for item in log.event_defaults if item.key == RESOURCE}
        title = next((item.value for item in log.attributes if item.key == NAME and item.value), name)
        self.metadata: dict[str, Json] = {"format": "xes", "log": title[:1000]}
        if log.classifiers:
            self.metadata["classifiers"] = {
                item.name[:200]: item.keys[:1000] for item in log.classifiers[:20]
            }

    def meet(self, case_id: str, line: int) -> None:
        """Remember a case. Raises `_BadEvent` where the file had one of that name before."""
        if len(self._seen) < REMEMBERED and (first := self._seen.setdefault(hash(case_id), line)) != line:
            raise _BadEvent(line, f"Case {case_id!r} is in the file twice; it was first at line {first:,}")

    def own(self, values: dict[str, Json]) -> dict[str, Json]:
        """The attributes that are the log's own, not of the standard or of an extension the log declares."""
        return {
            key: value
            for key, value in values.items()
            if key[:1] != "@" and key != STARTED and key.partition(":")[0] not in self.standard
        }


@dataclass(frozen=True, slots=True)
class _Described:
    """One event: its attributes by key, and as values without those the stage itself tells; `own` are the log's own."""

    line: int
    given: dict[str, Attribute]
    activity: str
    actor: Actor | None
    values: dict[str, Json]
    own: dict[str, Json]


class _CaseMapping:
    """One case on its way to a history."""

    def __init__(self, case: Case, context: _Context) -> None:
        if case.flaw:
            raise _BadEvent(*case.flaw)
        self._case = case
        self._context = context
        self.notes: dict[str, int] = {}
        self._groups = 0
        found = {attribute.key: attribute.value for attribute in reversed(case.attributes)}
        named = found.get(NAME) or found.get("identity:id")
        if not named or not named.strip():
            raise _BadEvent(case.line, f"The case has no name ({NAME})")
        self.case_id = named
        context.meet(named, case.line)

    def history(self) -> History:
        """The run's history; `notes` then has what its reader should know about how it was read."""
        values = self._object(self._case.attributes, self._case.line)
        times = self._times()
        first, last = (times[0], times[-1]) if times else (None, None)
        steps: list[Step] = []
        own = self._context.own(values)
        for key, value in own.items():
            # Dates and structures are for reading, in the run's input; what can be counted and filtered is annotated.
            if isinstance(value, str | bool) and not _typed(values, key) and len(steps) < CASE_ANNOTATIONS:
                steps.append(self._fact(key, value, first))
        repeated = self._add_events(steps, times)
        self._add_decision(steps, decisions.of_attributes(own), last, None)
        history: History = {
            "run_id": run_id(self._context.name, self.case_id),
            "name": within(self._context.name),
            "status": "completed",
            "trigger": {"source": "import", "action": "import"},
            "input": self._fit({**values, "@every_event": repeated} if repeated else values, BODY_LIMIT),
            "metadata": self._context.metadata,
            "steps": steps,
        }
        known = [time for time in times if time]
        if known:
            history["recorded_at"] = history["started_at"] = min(known).isoformat()
            history["ended_at"] = max(known).isoformat()
            if any(later < earlier for earlier, later in pairwise(known)):
                self._note("cases whose events are not in the order of their times")
        if actor := self._actor(_first(self._case.attributes)):
            history["actor"] = actor
        return history

    # Events

    def _add_events(self, steps: list[Step], times: list[datetime | None]) -> dict[str, Json]:
        """Append the steps of the events; answers the attributes all of them repeat, which the steps are without."""
        described = [self._describe(event) for event in self._case.events]
        repeated = facts.constant([found.values for found in described], _STRUCTURE)
        lasting = facts.lasting([found.own for found in described]).difference(repeated)
        current: dict[str, Json] = {}
        lifecycle = Lifecycle()
        for found, at in zip(described, times, strict=True):
            given, own, actor, activity = found.given, found.own, found.actor, found.activity
            applied = lifecycle.apply(activity, _text(given, INSTANCE), _text(given, TRANSITION))
            rest = facts.without(found.values, repeated) if repeated else found.values
            for change in applied.opening:
                began = self._began(found) if applied.ending else None
                steps.append(
                    _stamped(
                        {"type": f"stage:{change}", "id": applied.stage_id, "name": within(activity)},
                        began or at,
                        actor,
                    )
                )
            noted: list[Step] = []
            decided = decisions.of_attributes(own) or decisions.of_activity(activity, own)
            self._add_decision(noted, decided, at, actor)
            for key in own:
                if key in lasting and (key not in current or current[key] != own[key]):
                    current[key] = own[key]
                    noted.append(self._fact(key, own[key], at, actor))
            if not applied.ending and (rest or not applied.opening):
                noted.append(self._annotation("xes.event", rest, at, actor))
            for annotation in noted:
                self._place(annotation, applied)
            steps += noted
            if applied.ending:
                ended: Step = {
                    "type": f"stage:{applied.ending}",
                    "id": applied.stage_id,
                    "name": within(activity),
                }
                if rest:
                    ended["result"] = self._fit(rest, BODY_LIMIT)
                if applied.ending == "failed":
                    ended["error"] = {"message": f"The log says: {_text(given, TRANSITION)}."}
                steps.append(_stamped(ended, at, actor))
        if unfinished := lifecycle.unfinished():
            self._note("stages that began and of which the log knows no end", len(unfinished))
        return repeated

    def _describe(self, event: Event) -> _Described:
        given = _first(event.attributes)
        actor = self._actor(given)
        told = self._told(given, actor)
        values = self._object(
            [item for item in event.attributes if item.key not in told or item is not given[item.key]],
            event.line,
        )
        return _Described(
            event.line, given, self._activity(event, given), actor, values, self._context.own(values)
        )

    def _add_decision(
        self, steps: list[Step], decided: Decided | None, at: datetime | None, actor: Actor | None
    ) -> None:
        if not decided:
            return
        keys = decided.keys()
        for number, (key, value) in enumerate(keys.items()):
            step = self._annotation(key, value, at, actor)
            if number == 0:
                step["payload"] = self._fit(decided.stated, BODY_LIMIT)
            if len(keys) > 1:
                step["group"] = self._groups
            steps.append(step)
        self._groups += 1

    def _place(self, annotation: Step, applied: Transition) -> None:
        if applied.begun:
            annotation["stage_id"] = applied.stage_id
        else:  # scheduled, and perhaps never begun: there is no stage yet to belong to
            annotation["scope"], annotation["scope_id"] = "stage", applied.stage_id

    def _activity(self, event: Event, given: dict[str, Attribute]) -> str:
        if named := _text(given, NAME):
            return named
        for keys in self._context.activities:
            values = [value for key in keys if (value := _text(given, key))]
            if len(values) == len(keys):
                return "+".join(values)
        raise _BadEvent(
            event.line, f"The event has no name ({NAME}), and no classifier of the log gives it one"
        )

    def _actor(self, given: dict[str, Attribute]) -> Actor | None:
        resource = _text(given, RESOURCE)
        if not resource or resource in self._context.nobody:
            return None
        return {"kind": "user", "id": within(resource)}

    def _told(self, given: dict[str, Attribute], actor: Actor | None) -> set[str]:
        """The keys whose whole content the stage's name, time, actor and state tell."""
        told = {NAME, TIME}
        if actor:
            told.add(RESOURCE)
        if (_text(given, TRANSITION) or "complete").lower() in _TOLD:
            told.add(TRANSITION)
        return {key for key in told if key in given and not given[key].children and not _finer(given[key])}

    def _began(self, described: _Described) -> datetime | None:
        found = described.given.get(STARTED)
        return self._instant(found, described.line) if found and found.type == "date" else None

    # Times

    def _times(self) -> list[datetime | None]:
        """Each event's time; one without takes that of the event before it, at the beginning of the one after."""
        found: list[datetime | None] = []
        for event in self._case.events:
            stamp = next((item for item in event.attributes if item.key == TIME), None)
            found.append(self._instant(stamp, event.line) if stamp else None)
        if None not in found:
            return found
        self._note("events without a time (that of their neighbour was taken)", found.count(None))
        last = next((time for time in found if time), None)
        for index, time in enumerate(found):
            last = found[index] = time or last
        return found

    def _instant(self, attribute: Attribute, line: int) -> datetime:
        try:
            return instant(attribute, self._context.zone)
        except BadValue as error:
            raise _BadEvent(line, str(error)) from None

    # Attributes

    def _fact(self, key: str, value: Json, at: datetime | None, actor: Actor | None = None) -> Step:
        step = self._annotation(annotation_key("xes", key), value, at, actor)
        if step.get("key") != f"xes.{key.replace(':', '.')}":
            step["payload"] = self._fit({"key": key}, BODY_LIMIT)
        return step

    def _annotation(self, key: str, value: Json, at: datetime | None, actor: Actor | None) -> Step:
        return _stamped(
            {"type": "annotation:created", "key": key, "value": self._fit(value, VALUE_LIMIT)}, at, actor
        )

    def _object(self, attributes: list[Attribute], line: int) -> dict[str, Json]:
        try:
            return as_object(attributes)
        except BadValue as error:
            raise _BadEvent(line, str(error)) from None

    def _fit(self, value: Json, limit: int) -> Json:
        fitted, markers = fit(value, limit)
        if markers:
            self._note("values too large to store (a marker with size and SHA-256 stands for each)", markers)
        return fitted

    def _note(self, remark: str, times: int = 1) -> None:
        self.notes[remark] = self.notes.get(remark, 0) + times


def _first(attributes: list[Attribute]) -> dict[str, Attribute]:
    return {attribute.key: attribute for attribute in reversed(attributes)}


def _text(given: dict[str, Attribute], key: str) -> str | None:
    found = given.get(key)
    return found.value if found and found.value and found.value.strip() else None


def _typed(values: dict[str, Json], key: str) -> bool:
    types = values.get("@types")
    return isinstance(types, dict) and key in types


def _finer(attribute: Attribute) -> bool:
    """Whether a time is finer than the microseconds Postgres keeps: then it stays among the attributes as it is."""
    return (
        attribute.key == TIME
        and len((attribute.value or "").partition(".")[2].rstrip("Zz").split("+")[0].split("-")[0]) > 6
    )


def _stamped(step: Step, at: datetime | None, actor: Actor | None) -> Step:
    if at:
        step["at"] = at.isoformat()
    if actor:
        step["actor"] = actor
    return step
