"""Finds the decisions an event log records. It reads what is written; it infers nothing about why.

An event (or a case) decides when
* it has an attribute that is called an outcome (`OUTCOMES`; the last word of its key counts), or
* its activity sets an attribute it names: "Assign seriousness" with ``seriousness_2``, or
* its activity is itself a verdict in the past participle: "DUPLICATE", "A_ACCEPTED", "Closed".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache

from postil.importers.histories import Json

OUTCOMES = frozenset({
    "outcome", "decision", "result", "resolution", "verdict", "disposition", "judgement", "judgment", "closecode",
    "dismissal", "accepted", "approved",
})  # fmt: skip
RATIONALES = frozenset({"rationale", "reason", "motivation", "justification"})
CONFIDENCES = frozenset({"confidence", "probability", "certainty"})
VERDICTS = frozenset({
    "accepted", "approved", "granted", "rejected", "declined", "denied", "refused", "dismissed", "cancelled", "canceled",
    "withdrawn", "closed", "resolved", "verified", "invalid", "duplicate", "wontfix", "fixed", "escalated",
})  # fmt: skip
VERBS = frozenset({
    "assign", "determine", "decide", "classify", "assess", "select", "evaluate", "set", "choose", "approve",
})  # fmt: skip

_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """The words of a key or an activity's name, lower case: ``T10 Close_Code2`` is (t, close, code)."""
    return tuple(word.lower() for word in _WORD.findall(_CAMEL.sub(" ", name)))


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision as Postil's typed keys have it: outcome and rationale are texts, confidence lies between 0 and 1.

    `stated` are the attributes, or the activity, that state it, as the log has them.
    """

    outcome: str
    stated: dict[str, Json]
    rationale: str | None = None
    confidence: float | None = None

    def keys(self) -> dict[str, Json]:
        """The annotation keys and their values."""
        said: dict[str, Json] = {
            "outcome": self.outcome,
            "rationale": self.rationale,
            "confidence": self.confidence,
        }
        return {f"decision.{name}": value for name, value in said.items() if value is not None}


def of_attributes(values: dict[str, Json]) -> Decided | None:
    """The decision that attributes state by what they are called."""
    outcome: str | None = None
    rationale: str | None = None
    confidence: float | None = None
    stated: dict[str, Json] = {}
    for key, value in values.items():
        named = words(key)
        if not named or isinstance(value, dict | list) or value in (None, ""):
            continue
        if outcome is None and (named[-1] in OUTCOMES or "".join(named[-2:]) in OUTCOMES):
            outcome = as_text(value)
        elif rationale is None and named[-1] in RATIONALES and isinstance(value, str):
            rationale = value
        elif (
            confidence is None
            and named[-1] in CONFIDENCES
            and isinstance(value, int | float)
            and 0 <= value <= 1
        ):
            confidence = float(value)
        else:
            continue
        stated[key] = value
    # A reason or a probability alone decides nothing.
    return Decided(outcome, stated, rationale, confidence) if outcome is not None else None


def of_activity(activity: str, values: dict[str, Json]) -> Decided | None:
    """The decision an activity's own name states; `values` are the event's attributes that are the log's own."""
    named = words(activity)
    if any(word in VERBS for word in named[:2]):
        spoken = set(named)
        stated: dict[str, Json] = {
            key: value
            for key, value in values.items()
            if (about := words(key)) and spoken.issuperset(about) and not isinstance(value, dict | list)
        }
        if len(stated) == 1:
            return Decided(as_text(next(iter(stated.values()))), stated)
        if stated:
            return Decided(", ".join(f"{key} = {as_text(value)}" for key, value in stated.items()), stated)
    if named and named[-1] in VERDICTS and len(named) <= 3:
        return Decided(activity, {"concept:name": activity})
    return None


def as_text(value: Json) -> str:
    """A value as the text it has in the log."""
    return value if isinstance(value, str) else json.dumps(value)
