"""The errors of Postil, as one tree. Each states what happened, where, and what to do.

    PostilError
    ├── ConfigurationError        a setting is missing or wrong: set it, and start again
    ├── Unavailable               Postgres or Kafka cannot be reached now: try again later
    ├── SchemaOutdated            the database lacks this version's schema: run `postil migrate`
    ├── SchemaNewer               the database has a later version's schema: upgrade Postil
    ├── Retryable                 the transaction conflicted with another: run the whole transaction again
    └── WriteRefused              the database refused the write; nothing of it was stored
        ├── InvalidInput          a field is malformed: correct it (`field` names it); also a ValueError
        │   ├── InvalidAnnotation     a field of an annotation is malformed
        │   └── PayloadTooLarge       a field is beyond its size limit: store it elsewhere, annotate a reference
        ├── TenantNotFound        create the tenant first
        ├── TenantMismatch        this connection or client belongs to another tenant
        ├── RunNotFound           create the run first, or check the id
        ├── RunExists             the id belongs to another run
        ├── RunCancelled          stop working on the run; `unflushed` holds what was not stored
        ├── RunFinished           the run has ended: annotate it from outside, or start another run
        ├── IdempotencyConflict   the key was used for other content: use another key if both are meant
        ├── NotDurable            synchronous_commit is off: a row would be visible before it is durable
        ├── StageNotFound         start the stage first
        ├── StageEnded            the stage has ended: give the repeated step another stage id
        ├── ToolCallNotFound      start the tool call first
        ├── ToolCallEnded         the tool call has its result already
        ├── InteractionNotFound   check the interaction's id
        ├── InteractionEnded      the interaction was resolved or cancelled already
        └── AppendOnly            history is never changed: record a correction

The database raises the refusals with SQLSTATEs of class ``PS``, so that they are the same for every language.
`from_sqlstate` returns the error for a SQLSTATE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class PostilError(Exception):
    """The root of the tree. `what` states what happened and where, `advice` what to do."""

    exit_code: ClassVar[int] = 2
    """The exit code of a command that ends with this error: 1 if the result is bad, 2 if there is no result."""

    # Any, because the model, with `NewAnnotation` in it, is built on this module.
    unflushed: Sequence[Any] = ()
    """The `NewAnnotation` objects that a hosted stage had buffered and could not write.

    Stage and actor are filled in: pass them to `annotate` to write them again. Defaults to none.
    """

    def __init__(self, what: str, *, advice: str) -> None:
        self.what = what
        self.advice = advice
        super().__init__(what, advice)

    def __str__(self) -> str:
        return f"{self.what}\n  {self.advice}" if self.advice else self.what

    def __reduce__(self) -> tuple[Any, ...]:
        """Support pickling, for process pools and task queues: the constructors take keywords, and pickle passes none."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[PostilError], args: tuple[Any, ...], state: dict[str, Any]) -> PostilError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class ConfigurationError(PostilError):
    """A setting is missing or wrong."""


class Unavailable(PostilError):
    """Postgres or Kafka cannot be reached, or the connection was lost.

    Nothing of an open transaction was stored. If the connection was lost during the commit, the result is unknown:
    write again, with the same ids and idempotency keys.
    """


class SchemaOutdated(PostilError):
    """The database has no Postil schema, or an older one."""


class SchemaNewer(PostilError):
    """The database was migrated by a later version of Postil than this one."""


class Retryable(PostilError):
    """A serialisation failure, deadlock or timeout: the caller should run the whole transaction again."""


class WriteRefused(PostilError):
    """The database refused a write. Nothing of it was stored, and the surrounding transaction must be rolled back.

    `what` states what happened. `advice` states what to do; it defaults to `default_advice`.
    `field` is the path of the field at fault; it defaults to None: no field.
    """

    sqlstate: ClassVar[str] = "PS000"
    """The SQLSTATE with which the database raises the error."""

    default_advice: ClassVar[str] = "Roll the transaction back."
    """The advice if the database gives none."""

    def __init__(self, what: str, *, advice: str | None = None, field: str | None = None) -> None:
        self.field = field
        super().__init__(what, advice=self.default_advice if advice is None else advice)


class InvalidInput(WriteRefused, ValueError):
    """A field is malformed. `field` is the path to it, as in ``annotations[2].value.a``."""

    sqlstate = "PS017"
    default_advice = "Correct the named field and write again."


class InvalidAnnotation(InvalidInput):
    """A field of an annotation is malformed. `field` is the path to it."""

    sqlstate = "PS005"


class PayloadTooLarge(InvalidInput):
    """A value has more than 16 KiB of JSON text, or a payload or other JSON more than 256 KiB."""

    sqlstate = "PS006"
    default_advice = "Store it elsewhere, and annotate a reference and a hash."


class TenantMismatch(WriteRefused):
    """The database session is bound to another tenant by its setting ``postil.tenant``."""

    sqlstate = "PS007"
    default_advice = "Use a client of the run's tenant."


class TenantNotFound(WriteRefused):
    """There is no such tenant."""

    sqlstate = "PS012"
    default_advice = "Create it first: select postil.create_tenant('…')."


class RunNotFound(WriteRefused):
    """The tenant has no such run."""

    sqlstate = "PS001"
    default_advice = "Check the id, or create the run first."


class RunExists(WriteRefused):
    """A run with the same id and other content exists already."""

    sqlstate = "PS011"
    default_advice = "Give the new run another id."


class RunCancelled(WriteRefused):
    """The run was cancelled. `unflushed` holds the annotations that a hosted stage had buffered."""

    sqlstate = "PS002"
    default_advice = "Stop working on the run; annotations from outside remain possible."


class RunFinished(WriteRefused):
    """The run has ended, and the write needs a live run."""

    sqlstate = "PS003"
    default_advice = "Annotate it from outside, or start another run."


class IdempotencyConflict(WriteRefused):
    """The idempotency key or run id was used before, for other content."""

    sqlstate = "PS004"
    default_advice = "Use another key if both are meant."


class NotDurable(WriteRefused):
    """``synchronous_commit`` is off: a row would be visible, and published, before it is durable."""

    sqlstate = "PS008"
    default_advice = "Set synchronous_commit to on (or stronger) for this transaction."


class StageNotFound(WriteRefused):
    """The run has no such stage in its current attempt."""

    sqlstate = "PS009"
    default_advice = "Start the stage first."


class StageEnded(WriteRefused):
    """The stage has ended already."""

    sqlstate = "PS010"
    default_advice = "Give a repeated step another stage id."


class InteractionNotFound(WriteRefused):
    """The run has no such interaction."""

    sqlstate = "PS013"
    default_advice = "Check the interaction's id."


class InteractionEnded(WriteRefused):
    """The interaction was resolved or cancelled already. The first answer stands."""

    sqlstate = "PS014"
    default_advice = "Read the answer that stands."


class ToolCallNotFound(WriteRefused):
    """The run has no such tool call."""

    sqlstate = "PS015"
    default_advice = "Start the tool call first, or record it as a whole."


class ToolCallEnded(WriteRefused):
    """The tool call has its result already."""

    sqlstate = "PS016"
    default_advice = "Record a second call under another id."


class AppendOnly(WriteRefused):
    """A statement tried to change or delete what is recorded."""

    sqlstate = "PS018"
    default_advice = "Record a correction as a new annotation."


def _by_sqlstate(kind: type[WriteRefused]) -> dict[str, type[WriteRefused]]:
    kinds = {kind.sqlstate: kind}
    for child in kind.__subclasses__():
        kinds |= _by_sqlstate(child)
    return kinds


BY_SQLSTATE: dict[str, type[WriteRefused]] = _by_sqlstate(WriteRefused)
"""The class of each SQLSTATE that the write functions raise."""


def from_sqlstate(
    sqlstate: str, message: str, *, detail: str | None = None, hint: str | None = None
) -> WriteRefused:
    """Return the error for a SQLSTATE of class ``PS``. The database puts the field's path in DETAIL, the advice in HINT."""
    return BY_SQLSTATE.get(sqlstate, WriteRefused)(message, advice=hint, field=detail)
