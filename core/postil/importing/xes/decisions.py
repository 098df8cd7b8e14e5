"""Finds the decisions an event log records. It reads what is written; it infers nothing about why.

An event (or a case) decides when
* it has an attribute that is called an outcome (`OUTCOMES`; the last word of its key counts), or
* its activity sets an attribute it names: "Assign seriousness" with ``seriousness_2``, or
* its activity is itself a verdict in the past participle: "DUPLICATE", "A_ACCEPTED", "Closed".
"""

from __future__ import annotations

import re
from functools import lru_cache

from postil.importing.histories import Json

OUTCOMES = frozenset(
    "outcome decision result resolution verdict disposition judgement judgment closecode dismissal accepted approved".split()
)
RATIONALES = frozenset("rationale reason motivation justification".split())
CONFIDENCES = frozenset("confidence probability certainty".split())
VERDICTS = frozenset(
    """accepted approved granted rejected declined denied refused dismissed cancelled canceled withdrawn
    closed resolved verified invalid duplicate wontfix fixed escalated""".split()
)
VERBS = frozenset("assign determine decide classify assess select evaluate set choose approve".split())

_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """The words of a key or an activity's name, lower case: ``T10 Close_Code2`` is (t, close, code)."""
    return tuple(word.lower() for word in _WORD.findall(_CAMEL.sub(" ", name)))


def of_attributes(values: dict[str, Json]) -> dict[str, Json]:
    """The decision keys (``decision.outcome`` …) that attributes state by what they are called."""
    found: dict[str, Json] = {}
    for key, value in values.items():
        named = words(key)
        if not named or key.startswith("@") or value in (None, ""):
            continue
        last = named[-1]
        joined = "".join(named[-2:])
        if last in OUTCOMES or joined in OUTCOMES:
            found.setdefault("decision.outcome", value)
        elif last in RATIONALES and isinstance(value, str):
            found.setdefault("decision.rationale", value)
        elif last in CONFIDENCES and isinstance(value, int | float) and 0 <= value <= 1:
            found.setdefault("decision.confidence", float(value))
    if "decision.outcome" not in found:
        return {}  # a reason or a probability alone decides nothing
    return found


def of_activity(activity: str, values: dict[str, Json]) -> dict[str, Json]:
    """The decision an activity's own name states; `values` are the event's attributes that describe the case."""
    named = words(activity)
    if not named:
        return {}
    if any(word in VERBS for word in named[:2]):
        spoken = set(named)
        set_here = {key: value for key, value in values.items() if (about := words(key)) and set(about) <= spoken}
        if len(set_here) == 1:
            return {"decision.outcome": next(iter(set_here.values()))}
        if set_here:
            return {"decision.outcome": dict(set_here)}
    if named[-1] in VERDICTS and len(named) <= 3:
        return {"decision.outcome": activity}
    return {}
