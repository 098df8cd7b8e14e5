"""Postil: a provable record of what runs decided, written in the caller's own transaction.

from postil import Postil, Decision, agent

postil = Postil(engine)
with Session(engine) as session, session.begin():
    session.add(refund)
    postil.on(session).annotate(run_id, Decision(outcome="refund"), actor=agent("triage"))
# commit: refund, annotation and its event exist together; rollback: none of them
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
    from postil.model.receipts import ImportedRun, Receipt, RunReceipt
    from postil.model.triggers import Trigger

__all__ = [
    "Actor",
    "AnnotationLike",
    "Approval",
    "AsyncHostedRun",
    "AsyncHostedStage",
    "AsyncPostil",
    "AsyncTransactionWriter",
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

# Imported when first used: SQLAlchemy and pydantic are half a second of processor time,
# and the programs of a stack (relay, audit log, dashboard) start at once and need neither for this.
_WHERE = {
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
    "model.triggers": ("Trigger",),
}
_MODULES = {name: module for module, names in _WHERE.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'postil' has no attribute {name!r}")
    value = getattr(import_module(f"postil.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
