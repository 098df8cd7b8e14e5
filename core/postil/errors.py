"""Every error Postil raises, as one tree; each leaf says what happened, where, and what to do.

    PostilError
    ├── ConfigurationError        a setting is missing or wrong: set it, start again
    ├── Unavailable               Postgres or Kafka cannot be reached now: try again later
    ├── SchemaOutdated            the database lacks this version's schema: run `postil migrate`
    ├── SchemaNewer               the database has a later version's schema: upgrade Postil
    ├── Retryable                 the transaction lost a race: run the whole transaction again
    └── WriteRefused              the database refused the write; nothing of it was stored
        ├── InvalidInput          a field is malformed: correct it (`field` names it); also a ValueError
        │   ├── InvalidAnnotation     … of an annotation
        │   └── PayloadTooLarge       … beyond its size limit: store it elsewhere, note a reference
        ├── TenantNotFound        create the tenant first
        ├── TenantMismatch        this connection or handle belongs to another tenant
        ├── RunNotFound           create the run first, or check the id
        ├── RunExists             that id is taken by another run
        ├── RunCancelled          stop working on the run; `unflushed` holds what was not stored
        ├── RunFinished           the run has ended: rerun it, or annotate it from outside
        ├── IdempotencyConflict   the key was used for other content: use another key if both are meant
        ├── NotDurable            synchronous_commit is off: a row would be visible before it is durable
        ├── StageNotFound         start the stage first
        ├── StageEnded            the stage has ended: give the repeated step an id of its own
        ├── ToolCallNotFound      start the tool call first
        ├── ToolCallEnded         the tool call has its result already
        ├── InteractionNotFound   check the interaction's id
        ├── InteractionEnded      somebody answered or cancelled it already
        └── AppendOnly            history is never changed: record a correction

The refusals come from the database with their own SQLSTATEs (class ``PS``),
so that every language sees the same; `from_sqlstate` turns one into its class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from postil.model.annotations import NewAnnotation


class PostilError(Exception):
    """The root: `what` happened and where, `advice` on what to do about it.

    `exit_code` is what the command line ends with: 1 where the answer is bad, 2 where it could not tell.
    """

    exit_code: ClassVar[int] = 2
    unflushed: Sequence[NewAnnotation] = ()
    """What was buffered in hosted stages and could not be stored, to be annotated elsewhere or again."""

    def __init__(self, what: str, *, advice: str) -> None:
        self.what = what
        self.advice = advice
        super().__init__(what, advice)

    def __str__(self) -> str:
        return f"{self.what}\n  {self.advice}" if self.advice else self.what

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive pickling, and with it process pools and task queues: the constructors take keywords, pickle gives none."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[PostilError], args: tuple[Any, ...], state: dict[str, Any]) -> PostilError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class ConfigurationError(PostilError):
    """A setting is missing or wrong."""


class Unavailable(PostilError):
    """Postgres or Kafka cannot be reached, or went away in the middle.

    Nothing of an open transaction was stored.
    Of one that was just committing nobody can tell: write again, with the same ids and keys.
    """


class SchemaOutdated(PostilError):
    """The database has no Postil schema, or an older one."""


class SchemaNewer(PostilError):
    """The database was migrated by a later version of Postil than this one."""


class Retryable(PostilError):
    """A serialisation failure or deadlock: the whole transaction is the caller's to run again."""


class WriteRefused(PostilError):
    """The database refused a write; nothing of it was stored, and the surrounding transaction must be rolled back.

    Each subclass carries the SQLSTATE the functions raise; `field` names the offending input where there is one.
    """

    sqlstate: ClassVar[str] = "PS000"
    default_advice: ClassVar[str] = "Roll the transaction back."

    def __init__(self, what: str, *, advice: str | None = None, field: str | None = None) -> None:
        self.field = field
        super().__init__(what, advice=self.default_advice if advice is None else advice)


class InvalidInput(WriteRefused, ValueError):
    """A field is malformed; `field` is the path to it, as in ``annotations[2].value.a``."""

    sqlstate = "PS017"
    default_advice = "Correct the named field and write again."


class InvalidAnnotation(InvalidInput):
    """A key or value of an annotation is malformed; `field` is the path into it."""

    sqlstate = "PS005"


class PayloadTooLarge(InvalidInput):
    """A value or payload is beyond its limit (a value 16 KiB, a payload 256 KiB of JSON text)."""

    sqlstate = "PS006"
    default_advice = "Store it elsewhere and note a reference and a hash."


class TenantMismatch(WriteRefused):
    """The handle, or the database session (setting ``postil.tenant``), is bound to another tenant."""

    sqlstate = "PS007"
    default_advice = "Use a handle of the run's own tenant."


class TenantNotFound(WriteRefused):
    """There is no such tenant."""

    sqlstate = "PS012"
    default_advice = "Create it first: select postil.create_tenant('…')."


class RunNotFound(WriteRefused):
    """The tenant has no such run."""

    sqlstate = "PS001"
    default_advice = "Check the id, or create the run first."


class RunExists(WriteRefused):
    """The id is taken by a run created with other content."""

    sqlstate = "PS011"
    default_advice = "Give the new run an id of its own."


class RunCancelled(WriteRefused):
    """The run was cancelled while it worked; `unflushed` hands back the notes that were buffered."""

    sqlstate = "PS002"
    default_advice = "Stop working on the run; annotations from outside remain possible."


class RunFinished(WriteRefused):
    """The run has ended and the call asked for a live one."""

    sqlstate = "PS003"
    default_advice = "Annotate it from outside, or start a run of its own."


class IdempotencyConflict(WriteRefused):
    """The idempotency key (or run id) was used before, for other content."""

    sqlstate = "PS004"
    default_advice = "Use another key if both are meant."


class NotDurable(WriteRefused):
    """``synchronous_commit`` is off, so that a row would be visible, and published, before it is durable."""

    sqlstate = "PS008"
    default_advice = "Set synchronous_commit to on (or stronger) for this transaction."


class StageNotFound(WriteRefused):
    """The run has no such stage in its current attempt."""

    sqlstate = "PS009"
    default_advice = "Start the stage first."


class StageEnded(WriteRefused):
    """The stage has ended already."""

    sqlstate = "PS010"
    default_advice = "Give a repeated step a stage id of its own."


class InteractionNotFound(WriteRefused):
    """The run has no such interaction."""

    sqlstate = "PS013"
    default_advice = "Check the interaction's id."


class InteractionEnded(WriteRefused):
    """The interaction was answered or cancelled already; the first answer stands."""

    sqlstate = "PS014"
    default_advice = "Read the answer that stands."


class ToolCallNotFound(WriteRefused):
    """The run has no such tool call."""

    sqlstate = "PS015"
    default_advice = "Start the tool call first, or record it whole."


class ToolCallEnded(WriteRefused):
    """The tool call has its result already."""

    sqlstate = "PS016"
    default_advice = "Record a second call under an id of its own."


class AppendOnly(WriteRefused):
    """Somebody tried to change or delete what is recorded."""

    sqlstate = "PS018"
    default_advice = "Record a correction as a new annotation."


def _leaves(of: type[WriteRefused]) -> dict[str, type[WriteRefused]]:
    found = {of.sqlstate: of}
    for child in of.__subclasses__():
        found |= _leaves(child)
    return found


BY_SQLSTATE: dict[str, type[WriteRefused]] = _leaves(WriteRefused)
"""The class for each SQLSTATE the write functions raise."""


def from_sqlstate(
    sqlstate: str, message: str, *, detail: str | None = None, hint: str | None = None
) -> WriteRefused:
    """Build the typed error for a SQLSTATE of class ``PS``; the functions put the field's path in DETAIL."""
    return BY_SQLSTATE.get(sqlstate, WriteRefused)(message, advice=hint, field=detail)
