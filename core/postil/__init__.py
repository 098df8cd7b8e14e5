"""Postil records what workflows and AI agents decided, in the caller's own database transaction.

An annotation and its event exist together if and only if the caller's transaction commits.
A relay then publishes every committed event to Kafka at least once and in order within its run,
and an audit log keeps the bytes in a form in which every later change is found.
``docs/guarantees.md`` lists each guarantee with the tests that hold it.

Write in your transaction
-------------------------
`Postil.on` returns a writer for a SQLAlchemy connection or session. It never commits.

    from postil import Decision, Postil, agent

    postil = Postil(engine)
    with Session(engine) as session, session.begin():
        session.add(refund)
        postil.on(session).annotate("run-42", Decision(outcome="refund"), actor=agent("triage"))

After the commit the refund, the annotations and their events exist; after a rollback none of them does.
Without a transaction of yours, ``postil.annotate(…)`` uses a short one. `AsyncPostil` has the same methods for asyncio.

Say what you record
-------------------
A run is one execution of a workflow, under the id that it has in your system.
An annotation is an immutable statement about a run: a key, a JSON value, and who made it.
A dictionary has the keys and values. A `Convention` is a typed group of keys that is checked when it is made;
`Decision`, `Approval`, `Revision` and `Failure` exist, and a subclass adds yours.

    postil.create_run("run-42", name="refund-request", input={"order": 7})
    postil.annotate("run-42", {"review.score": 4}, Decision(outcome="refund", confidence=0.9))
    postil.finish_run("run-42", result={"refunded": 42})

Every write returns a receipt: the id, the number of the event within the run, and whether this call created it.
A call that is repeated with the same id or `idempotency_key` stores nothing.

Host a whole run
----------------
`Postil.run` records a ``with`` block: the run, its stages, its tool calls, its questions and its failures.

    with postil.run("refund-request", input={"order": 7}, actor=agent("triage")) as run:
        with run.stage("decide") as stage:
            stage.annotate(Decision(outcome="refund"))  # written with the end of the stage
        if run.ask("Refund 42 EUR?", to="finance")["outcome"] == "accept":
            run.complete({"refunded": 42})

Connect a write to a trace
--------------------------
Every write takes `recorded_at`, the time when it happened, and `context`, where it comes from.
Each event of the write carries the context to Kafka.

    from postil import Context

    postil.annotate("run-42", {"review.score": 4}, context=Context(traceparent=request.headers["traceparent"]))

Handle errors
-------------
Every error is a `postil.errors.PostilError` that states what happened, where, and what to do.
After an error in your transaction, roll it back. `errors.Retryable` means: run the whole transaction again.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from postil import errors

if TYPE_CHECKING:
    from postil.client.handles import AsyncPostil, AsyncTransactionWriter, Postil, TransactionWriter
    from postil.hosting.runs import AsyncHostedRun, AsyncHostedStage, HostedRun, HostedStage
    from postil.hosting.tool import tool
    from postil.model.actors import Actor, agent, system, user
    from postil.model.annotations import AnnotationLike, NewAnnotation
    from postil.model.conventions import Approval, Convention, Decision, Failure, Revision
    from postil.model.json_text import Json
    from postil.model.origins import Context, Trigger
    from postil.model.receipts import ImportedRun, Receipt, RunReceipt

__all__ = [
    "Actor",
    "AnnotationLike",
    "Approval",
    "AsyncHostedRun",
    "AsyncHostedStage",
    "AsyncPostil",
    "AsyncTransactionWriter",
    "Context",
    "Convention",
    "Decision",
    "Failure",
    "HostedRun",
    "HostedStage",
    "ImportedRun",
    "Json",
    "NewAnnotation",
    "Postil",
    "Receipt",
    "Revision",
    "RunReceipt",
    "TransactionWriter",
    "Trigger",
    "agent",
    "errors",
    "system",
    "tool",
    "user",
]

# Imported at their first use. SQLAlchemy and pydantic take half a second of processor time to import,
# and the programs of a stack (relay, audit log, dashboard) start together and do not need them.
_NAMES_BY_MODULE = {
    "client.handles": (
        "AsyncTransactionWriter",
        "AsyncPostil",
        "TransactionWriter",
        "Postil",
    ),
    "hosting.runs": (
        "AsyncHostedRun",
        "AsyncHostedStage",
        "HostedRun",
        "HostedStage",
    ),
    "hosting.tool": ("tool",),
    "model.actors": (
        "Actor",
        "agent",
        "system",
        "user",
    ),
    "model.annotations": (
        "NewAnnotation",
        "AnnotationLike",
    ),
    "model.conventions": (
        "Approval",
        "Convention",
        "Decision",
        "Failure",
        "Revision",
    ),
    "model.json_text": ("Json",),
    "model.receipts": (
        "RunReceipt",
        "ImportedRun",
        "Receipt",
    ),
    "model.origins": (
        "Context",
        "Trigger",
    ),
}
_MODULES = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'postil' has no attribute {name!r}")
    value = getattr(import_module(f"postil.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
