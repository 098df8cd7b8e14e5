"""Maps each case of an event log to the history of a run. docs/guides/import.md describes the mapping in prose."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from postil.importers.errors import BadCase
from postil.importers.histories import Actor, History, Json, Options, Parsed, Step
from postil.importers.limits import fit
from postil.importers.names import annotation_key, run_id
from postil.importers.source import Source
from postil.importers.xes import case_attributes, decisions
from postil.importers.xes.context import (
    INSTANCE,
    NAME,
    RESOURCE,
    TIME,
    TRANSITION,
    BadEvent,
    LogContext,
    first_by_key,
    text_of,
)
from postil.importers.xes.decisions import RecordedDecision
from postil.importers.xes.elements import Case
from postil.importers.xes.events import (
    EventDescription,
    actor_of,
    describe,
    object_of,
    start_time,
    time_of,
)
from postil.importers.xes.lifecycle import Lifecycle, Transition
from postil.importers.xes.parser import LogParser
from postil.model.identifiers import within
from postil.model.limits import MAX_PAYLOAD_BYTES, MAX_VALUE_BYTES

CASE_ANNOTATIONS = 24
"""How many attributes of a case become annotations at most. The run's input holds all of them."""

_STRUCTURE = frozenset({NAME, TIME, RESOURCE, INSTANCE, TRANSITION})
_ADVICE = "Correct it there and import again; the other cases are not touched."


def read(source: Source, name: str, options: Options) -> Iterator[Parsed | BadCase]:
    """Yield a history for each case of the log, or the error because of which it is left out.

    Raises `MalformedInput` if the file itself is broken, and `InputUnreadable` if reading fails.
    """
    parser = LogParser(source.path)
    context: LogContext | None = None
    for case in parser.cases(source.chunks()):
        # At the first case the parser has read everything that describes the log.
        context = context or LogContext(parser.log, name, options)
        try:
            mapping = _CaseMapping(case, context)
            yield Parsed(mapping.history(), f"line {case.line:,}", len(case.events), mapping.remarks)
        except BadEvent as error:
            yield BadCase(source.path, f"line {error.line:,}", f"{error.problem}.", advice=_ADVICE)


class _CaseMapping:
    """The mapping of one case to a history."""

    def __init__(self, case: Case, context: LogContext) -> None:
        if case.flaw:
            raise BadEvent(*case.flaw)
        self._case = case
        self._context = context
        self.remarks: dict[str, int] = {}
        self._groups = 0
        values = {attribute.key: attribute.value for attribute in reversed(case.attributes)}
        case_id = values.get(NAME) or values.get("identity:id")
        if not case_id or not case_id.strip():
            raise BadEvent(case.line, f"The case has no name ({NAME})")
        self.case_id = case_id
        context.add_case(case_id, case.line)

    def history(self) -> History:
        """Return the history of the run, and fill `remarks`."""
        values = object_of(self._case.attributes, self._case.line)
        own = self._context.own_attributes(values)
        times = self._times()
        first, last = (times[0], times[-1]) if times else (None, None)
        steps = self._case_steps(values, own, first)
        repeated = self._add_events(steps, times)
        self._add_decision(steps, decisions.of_attributes(own), last, None)
        history: History = {
            "run_id": run_id(self._context.name, self.case_id),
            "name": within(self._context.name),
            "status": "completed",
            "trigger": {"source": "import", "action": "import"},
            "input": self._fit(
                {**values, "@every_event": repeated} if repeated else values, MAX_PAYLOAD_BYTES
            ),
            "metadata": self._context.metadata,
            "steps": steps,
        }
        self._add_times(history, [time for time in times if time])
        if actor := actor_of(first_by_key(self._case.attributes), self._context):
            history["actor"] = actor
        return history

    def _case_steps(self, values: dict[str, Json], own: dict[str, Json], at: datetime | None) -> list[Step]:
        """Annotate what can be counted and filtered. Dates and structures are only in the run's input."""
        plain = {
            key: value
            for key, value in own.items()
            if isinstance(value, str | bool) and not _has_type(values, key)
        }
        return [self._attribute_step(key, value, at) for key, value in list(plain.items())[:CASE_ANNOTATIONS]]

    def _add_times(self, history: History, times: list[datetime]) -> None:
        if not times:
            return
        history["recorded_at"] = history["started_at"] = min(times).isoformat()
        history["ended_at"] = max(times).isoformat()
        if any(later < earlier for earlier, later in pairwise(times)):
            self._remark("cases whose events are not in the order of their times")

    # Events

    def _add_events(self, steps: list[Step], times: list[datetime | None]) -> dict[str, Json]:
        """Append the steps of the events. Returns the attributes that all events repeat; the steps do not have these."""
        events = [describe(event, self._context) for event in self._case.events]
        repeated = case_attributes.constant([event.values for event in events], _STRUCTURE)
        lasting = case_attributes.lasting([event.own for event in events]).difference(repeated)
        current: dict[str, Json] = {}
        lifecycle = Lifecycle()
        for event, at in zip(events, times, strict=True):
            instance, transition = text_of(event.attributes, INSTANCE), text_of(event.attributes, TRANSITION)
            effect = lifecycle.apply(event.activity, instance, transition)
            rest = case_attributes.without(event.values, repeated) if repeated else event.values
            steps += self._start_steps(event, effect, at)
            annotations = self._annotation_steps(event, at, lasting, current)
            if not effect.ending and (rest or not effect.start):
                annotations.append(self._annotation("xes.event", rest, at, event.actor))
            for annotation in annotations:
                _place(annotation, effect)
            steps += annotations
            if effect.ending:
                steps.append(self._end_step(event, effect, at, rest))
        if unfinished := lifecycle.unfinished():
            self._remark("stages that started and have no end in the log", len(unfinished))
        return repeated

    def _start_steps(self, event: EventDescription, effect: Transition, at: datetime | None) -> list[Step]:
        started = start_time(event, self._context) if effect.start and effect.ending else None
        return [
            _stamped(
                {"type": f"stage:{change}", "id": effect.stage_id, "name": within(event.activity)},
                started or at,
                event.actor,
            )
            for change in effect.start
        ]

    def _annotation_steps(
        self, event: EventDescription, at: datetime | None, lasting: set[str], current: dict[str, Json]
    ) -> list[Step]:
        """Return the event's decision, and the attributes of the case that it changes. Updates `current`."""
        steps: list[Step] = []
        decision = decisions.of_attributes(event.own) or decisions.of_activity(event.activity, event.own)
        self._add_decision(steps, decision, at, event.actor)
        for key, value in event.own.items():
            if key in lasting and (key not in current or current[key] != value):
                current[key] = value
                steps.append(self._attribute_step(key, value, at, event.actor))
        return steps

    def _end_step(
        self, event: EventDescription, effect: Transition, at: datetime | None, rest: dict[str, Json]
    ) -> Step:
        step: Step = {
            "type": f"stage:{effect.ending}",
            "id": effect.stage_id,
            "name": within(event.activity),
        }
        if rest:
            step["result"] = self._fit(rest, MAX_PAYLOAD_BYTES)
        if effect.ending == "failed":
            step["error"] = {"message": f"The log states: {text_of(event.attributes, TRANSITION)}."}
        return _stamped(step, at, event.actor)

    def _add_decision(
        self, steps: list[Step], decision: RecordedDecision | None, at: datetime | None, actor: Actor | None
    ) -> None:
        if not decision:
            return
        keys = decision.keys()
        for number, (key, value) in enumerate(keys.items()):
            step = self._annotation(key, value, at, actor)
            if number == 0:
                step["payload"] = self._fit(decision.stated, MAX_PAYLOAD_BYTES)
            if len(keys) > 1:
                step["group"] = self._groups
            steps.append(step)
        self._groups += 1

    def _times(self) -> list[datetime | None]:
        """Return each event's time. An event without one gets that of the event before it, the first ones the next."""
        times: list[datetime | None] = []
        for event in self._case.events:
            stamp = next((item for item in event.attributes if item.key == TIME), None)
            times.append(time_of(stamp, event.line, self._context) if stamp else None)
        if None not in times:
            return times
        self._remark("events without a time (the time of a neighbour was used)", times.count(None))
        last = next((time for time in times if time), None)
        for index, time in enumerate(times):
            last = times[index] = time or last
        return times

    # Annotations

    def _attribute_step(self, key: str, value: Json, at: datetime | None, actor: Actor | None = None) -> Step:
        step = self._annotation(annotation_key("xes", key), value, at, actor)
        if step.get("key") != f"xes.{key.replace(':', '.')}":
            step["payload"] = self._fit({"key": key}, MAX_PAYLOAD_BYTES)
        return step

    def _annotation(self, key: str, value: Json, at: datetime | None, actor: Actor | None) -> Step:
        return _stamped(
            {"type": "annotation:created", "key": key, "value": self._fit(value, MAX_VALUE_BYTES)}, at, actor
        )

    def _fit(self, value: Json, limit: int) -> Json:
        fitted, markers = fit(value, limit)
        if markers:
            self._remark("values too large to store (replaced by a marker with size and SHA-256)", markers)
        return fitted

    def _remark(self, remark: str, times: int = 1) -> None:
        self.remarks[remark] = self.remarks.get(remark, 0) + times


def _place(annotation: Step, effect: Transition) -> None:
    if effect.started:
        annotation["stage_id"] = effect.stage_id
    else:  # scheduled, and perhaps never started: the stage to which it would belong does not exist yet
        annotation["scope"], annotation["scope_id"] = "stage", effect.stage_id


def _has_type(values: dict[str, Json], key: str) -> bool:
    types = values.get("@types")
    return isinstance(types, dict) and key in types


def _stamped(step: Step, at: datetime | None, actor: Actor | None) -> Step:
    if at:
        step["at"] = at.isoformat()
    if actor:
        step["actor"] = actor
    return step
