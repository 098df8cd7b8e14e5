"""Postil: a provable record of what runs decided, written in the caller's own transaction.

from postil import Postil, Decision, agent

postil = Postil(engine)
with Session(engine) as session, session.begin():
    session.add(refund)
    postil.on(session).annotate(run_id, Decision(outcome="refund"), actor=agent("triage"))
# commit: refund, annotation and its event exist together; rollback: none of them
"""

from postil import errors
from postil.client import AsyncNotes, AsyncPostil, Notes, Postil
from postil.hosting import AsyncHostedRun, AsyncHostedStage, HostedRun, HostedStage
from postil.jsontext import Json
from postil.model import (
    Actor,
    Approval,
    Change,
    Convention,
    Decision,
    Failure,
    History,
    Note,
    Part,
    Recorded,
    Revision,
    Said,
    Trigger,
    agent,
    system,
    user,
)
from postil.tools import tool

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
