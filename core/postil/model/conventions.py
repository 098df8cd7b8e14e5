"""Conventions: typed groups of annotation keys, validated when written."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from postil.errors import InvalidAnnotation
from postil.model.json_text import Json, encode
from postil.model.keys import check_key
from postil.model.values import UNSET


class Convention(BaseModel):
    """A typed group of keys: its fields expand to ``<prefix>.<field>``, and each value is validated when written.

    Subclass it to register keys of your own; a dictionary that uses one of its keys is held to the same type.
    Fields left at None are not written: leaving a key out is how one says nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    prefix: ClassVar[str] = ""
    _typed_keys: ClassVar[dict[str, TypeAdapter[Any]]] = {}

    payload: Any = Field(default=UNSET, exclude=True, repr=False)
    """Whatever else belongs to the group, stored once."""

    def __init__(self, **values: Any) -> None:
        """Raises `InvalidAnnotation` where a value is not of its key's type."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _as_invalid_annotation(error, type(self).prefix) from None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Register the keys."""
        super().__pydantic_init_subclass__(**kwargs)
        check_key(cls.prefix, f"{cls.__name__}.prefix")
        for name, info in cls.model_fields.items():
            if name != "payload":
                annotated: Any = Annotated[info.annotation, info]
                check_key(f"{cls.prefix}.{name}", f"{cls.__name__}.{name}")
                cls._typed_keys[f"{cls.prefix}.{name}"] = TypeAdapter(annotated)

    @classmethod
    def check_value(cls, key: str, value: object, place: str) -> None:
        """Raise `InvalidAnnotation` where `key` is registered and `value` is not of its type."""
        adapter = cls._typed_keys.get(key)
        if adapter is not None and value is not None:
            try:
                # As JSON and strictly, because that is what is stored: "0.9" is no number.
                adapter.validate_json(encode(value, place, InvalidAnnotation), strict=True)
            except ValidationError as error:
                raise _as_invalid_annotation(error, place, about=f"{key}: ") from None

    def values(self) -> dict[str, Json]:
        """Return the keys and JSON values this says."""
        return {
            f"{self.prefix}.{name}": value
            for name, value in self.model_dump(mode="json", exclude_none=True).items()
        }


def _as_invalid_annotation(error: ValidationError, place: str, about: str = "") -> InvalidAnnotation:
    first = error.errors(include_input=False, include_url=False)[0]
    path = place + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    return InvalidAnnotation(f"{path}: {about}{first['msg']}.", field=path)


class Decision(Convention):
    """What was decided, and why."""

    prefix = "decision"
    outcome: str
    rationale: str | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    alternatives: list[str] | None = None
    used_fallback: bool | None = None


class Approval(Convention):
    """Who approved it, when, and under which policy."""

    prefix = "approval"
    approvers: list[str] = Field(min_length=1)
    outcome: str | None = None
    timestamp: AwareDatetime | None = None
    policy_version: str | None = None
    note: str | None = None


class Revision(Convention):
    """Which run this one revises."""

    prefix = "revision"
    previous_run_id: str
    reason: str | None = None


class Failure(Convention):
    """What went wrong, as noted when a stage fails."""

    prefix = "failure"
    type: str
    message: str | None = None
