"""The write protocol as pure functions: each builds the one SQL statement that does it.

Nothing here talks to a database. A `Call` is a statement, its parameters and how to read its answer;
`postil.postgres.execute` runs it on a connection, sync or async, so there are no twins to keep alike.
"""

from postil.postgres.writes.annotations import annotate, annotate_many
from postil.postgres.writes.histories import record_runs
from postil.postgres.writes.interactions import (
    InteractionState,
    ask,
    cancel_interaction,
    interaction_state,
    resolve_interaction,
)
from postil.postgres.writes.runs import cancel_run, create_run, finish_run, start_run
from postil.postgres.writes.stages import complete_stage, fail_stage, resume_stage, start_stage, suspend_stage
from postil.postgres.writes.statement import Call
from postil.postgres.writes.tool_calls import finish_tool_call, record_tool_call, start_tool_call

__all__ = [
    "Call",
    "InteractionState",
    "annotate",
    "annotate_many",
    "ask",
    "cancel_interaction",
    "cancel_run",
    "complete_stage",
    "create_run",
    "fail_stage",
    "finish_run",
    "finish_tool_call",
    "interaction_state",
    "record_runs",
    "record_tool_call",
    "resolve_interaction",
    "resume_stage",
    "start_run",
    "start_stage",
    "start_tool_call",
    "suspend_stage",
]
