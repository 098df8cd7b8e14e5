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
    from postil.client.handles import AsyncNotes, AsyncPostil, Notes, Postil
    from postil.hosting.runs import AsyncHostedRun, AsyncHostedStage, HostedRun, HostedStage
    from postil.hosting.tool import tool
    from postil.model.actors import Actor, agent, system, user
    from postil.model.annotations import Note, Said
    from postil.model.conventions import Approval, Convention, Decision, Failure, Revision
    from postil.model.json_text import Json
    from postil.model.receipts import Change, History, Part, Recorded
    from postil.model.triggers import Trigger

__all__ = [
    "Actor",
    "Approval",
    "AsyncHostedRun",
    "AsyncHostedStage",
    "AsyncNotes",
    "AsyncPostil",
    "Change",
    "Convention",
    "Decision",
    "Failure",
    "History",
    "HostedRun",
    "HostedStage",
    "Json",
    "Note",
    "Notes",
    "Part",
    "Postil",
    "Recorded",
    "Revision",
    "Said",
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
        "AsyncNotes",
        "AsyncPostil",
        "Notes",
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
        "Note",
        "Said",
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
        "Change",
        "History",
        "Part",
        "Recorded",
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
