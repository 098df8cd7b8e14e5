"""Annotations about to be written: one by one, or as the conventions and dictionaries that expand to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from postil.errors import InvalidAnnotation
from postil.model.actors import Actor
from postil.model.conventions import Convention
from postil.model.json_text import Json
from postil.model.keys import check_key
from postil.model.values import UNSET, Unset, checked, rfc3339


@dataclass(frozen=True)
class NewAnnotation:
    """One annotation about to be written: a key, a value, and what differs from the call's defaults."""

    key: str
    value: Json
    payload: Json | Unset = UNSET
    actor: Actor | None = None
    scope: str | None = None
    scope_id: str | None = None
    stage_id: str | None = None
    attempt: int | None = None
    try_: int | None = None
    idempotency_key: str | None = None
    recorded_at: datetime | None = None
    group: int | None = field(default=None, compare=False)

    def as_item(self, place: str) -> dict[str, object]:
        """Return the form `postil.annotate` takes; `place` is what it is called in an error, as in ``annotations[2]``.

        Raises `InvalidAnnotation` for a malformed key or a time without a zone.
        """
        check_key(self.key, f"{place}.key")
        item: dict[str, object] = {"key": self.key, "value": self.value}
        if not isinstance(self.payload, Unset):
            item["payload"] = self.payload
        if self.actor is not None:
            item["actor"] = checked(self.actor, Actor, f"{place}.actor").as_json()
        if self.recorded_at is not None:
            item["recorded_at"] = rfc3339(self.recorded_at, f"{place}.recorded_at")
        rest = {
            "scope": self.scope, "scope_id": self.scope_id, "stage_id": self.stage_id, "attempt": self.attempt,
            "try": self.try_, "idempotency_key": self.idempotency_key, "group": self.group,
        }  # fmt: skip
        return item | {name: value for name, value in rest.items() if value is not None}


def regrouped(notes: Iterable[NewAnnotation], after: Iterable[NewAnnotation]) -> list[NewAnnotation]:
    """Return `notes` with their groups numbered past those of `after`, so that the two can be said together."""
    first = 1 + max((note.group for note in after if note.group is not None), default=-1)
    return [note if note.group is None else replace(note, group=first + note.group) for note in notes]


AnnotationLike: TypeAlias = Convention | Mapping[str, Json] | NewAnnotation
"""What one may annotate with: a typed convention, a dictionary of keys, or single notes."""


def notes_of(
    said: Sequence[AnnotationLike], place: str = "annotations", *, idempotency_key: str | None = None
) -> Iterator[NewAnnotation]:
    """Expand what was said into notes; keys of one convention form a group whose payload goes with its first.

    `idempotency_key` is that of every note which has none of its own; `place` is what they are called in an error.
    Raises `InvalidAnnotation` naming the item and the path into it.
    """
    n = 0
    # TransactionWriter may bring groups of their own, as those handed back by RunCancelled do.
    first_group = 1 + max(
        (one.group for one in said if isinstance(one, NewAnnotation) and one.group is not None), default=-1
    )
    for group, one in enumerate(said, first_group):
        if isinstance(one, NewAnnotation):
            check_key(one.key, f"{place}[{n}].key")
            Convention.check_value(one.key, one.value, f"{place}[{n}].value")
            yield replace(one, idempotency_key=one.idempotency_key or idempotency_key)
            n += 1
            continue
        payload: Json | Unset = UNSET
        if isinstance(one, Convention):
            values: Mapping[str, Json] = one.values()
            payload = one.payload
        elif isinstance(one, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] (callers without a checker)
            values = one
        else:
            raise InvalidAnnotation(
                f"{place}[{n}] is a {type(one).__name__}: say a convention, a dictionary of keys, or a NewAnnotation.",
                field=f"{place}[{n}]",
            )
        for key, value in values.items():
            if not isinstance(one, Convention):
                check_key(key, f"{place}[{n}].key")
                Convention.check_value(key, value, f"{place}[{n}].value")
            yield NewAnnotation(
                key, value, payload=payload, idempotency_key=idempotency_key,
                group=group if isinstance(one, Convention) else None,
            )  # fmt: skip
            payload = UNSET
            n += 1
        if not isinstance(payload, Unset):
            raise InvalidAnnotation(
                f"{place}[{n}] is a {type(one).__name__} with a payload and no key to store it with.",
                field=f"{place}[{n}]",
            )
