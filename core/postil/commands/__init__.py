"""Commands: every write as data.

A command is a frozen dataclass that states what to write. It knows no SQL and does no I/O,
so every door to Postil (the Python client, HTTP, the importers) builds the same commands:

    from postil.commands import Annotate

    receipts = postil.send(Annotate("run-42", [{"review.score": 4}], actor=agent("triage")))

`postil.postgres.writes` turns a command into the SQL statement that carries it out.
Building a command checks nothing. A field that is malformed raises `InvalidInput` or `InvalidAnnotation`
with the path of the field when the command is sent.
"""

from postil.commands.annotations import Annotate, AnnotateMany
from postil.commands.base import RunCommand
from postil.commands.interactions import Ask, CancelInteraction, ResolveInteraction
from postil.commands.runs import CancelRun, CreateRun, FinishRun, RecordRuns, StartRun
from postil.commands.stages import CompleteStage, FailStage, ResumeStage, StartStage, SuspendStage
from postil.commands.tool_calls import FinishToolCall, RecordToolCall, StartToolCall
from postil.model.origins import Context
from postil.requests import Command

__all__ = [
    "Annotate",
    "AnnotateMany",
    "Ask",
    "CancelInteraction",
    "CancelRun",
    "Command",
    "CompleteStage",
    "Context",
    "CreateRun",
    "FailStage",
    "FinishRun",
    "FinishToolCall",
    "RecordRuns",
    "RecordToolCall",
    "ResolveInteraction",
    "ResumeStage",
    "RunCommand",
    "StartRun",
    "StartStage",
    "StartToolCall",
    "SuspendStage",
]
