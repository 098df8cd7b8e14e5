"""Finds the decisions that an event log records. It only reads what the log states and infers no reasons.

An event or a case is a decision if one of these is true:
* It has an attribute whose key ends in a word for an outcome (`OUTCOMES`).
* Its activity names an attribute that the event sets: "Assign seriousness" with ``seriousness_2``.
* Its activity is a verdict as a past participle: "DUPLICATE", "A_ACCEPTED", "Closed".
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
    """Return the words of a key or an activity's name in lower case: ``T10 Close_Code2`` gives (t, close, code)."""
    return tuple(word.lower() for word in _WORD.findall(_CAMEL.sub(" ", name)))


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """A decision with the types of the `Decision` convention: outcome and rationale are texts, confidence is 0 to 1.

    `stated` holds the attributes or the activity that state the decision, as they are in the log.
    """

    outcome: str
    stated: dict[str, Json]
    rationale: str | None = None
    confidence: float | None = None

    def keys(self) -> dict[str, Json]:
        """Return the annotation keys and their values."""
        fields: dict[str, Json] = {
            "outcome": self.outcome,
            "rationale": self.rationale,
            "confidence": self.confidence,
        }
        return {f"decision.{name}": value for name, value in fields.items() if value is not None}


def of_attributes(values: dict[str, Json]) -> RecordedDecision | None:
    """Return the decision that attributes state by their names, or None."""
    outcome: str | None = None
    rationale: str | None = None
    confidence: float | None = None
    stated: dict[str, Json] = {}
    for key, value in values.items():
        key_words = words(key)
        if not key_words or isinstance(value, dict | list) or value in (None, ""):
            continue
        if outcome is None and (key_words[-1] in OUTCOMES or "".join(key_words[-2:]) in OUTCOMES):
            outcome = as_text(value)
        elif rationale is None and key_words[-1] in RATIONALES and isinstance(value, str):
            rationale = value
        elif (
            confidence is None
            and key_words[-1] in CONFIDENCES
            and isinstance(value, int | float)
            and 0 <= value <= 1
        ):
            confidence = float(value)
        else:
            continue
        stated[key] = value
    # A reason or a probability without an outcome is not a decision.
    return RecordedDecision(outcome, stated, rationale, confidence) if outcome is not None else None


def of_activity(activity: str, values: dict[str, Json]) -> RecordedDecision | None:
    """Return the decision that an activity's name states, or None.

    `values` are the attributes of the event that only this log defines.
    """
    activity_words = words(activity)
    if any(word in VERBS for word in activity_words[:2]):
        stated: dict[str, Json] = {
            key: value
            for key, value in values.items()
            if (key_words := words(key))
            and set(key_words) <= set(activity_words)
            and not isinstance(value, dict | list)
        }
        if len(stated) == 1:
            return RecordedDecision(as_text(next(iter(stated.values()))), stated)
        if stated:
            return RecordedDecision(
                ", ".join(f"{key} = {as_text(value)}" for key, value in stated.items()), stated
            )
    if activity_words and activity_words[-1] in VERDICTS and len(activity_words) <= 3:
        return RecordedDecision(activity, {"concept:name": activity})
    return None


def as_text(value: Json) -> str:
    """Return a value as text, as it is in the log."""
    return value if isinstance(value, str) else json.dumps(value)
