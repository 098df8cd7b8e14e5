"""A run that every command finds something in, and the check that a refused command leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from postil import Postil, errors
from postil.commands import Command


@pytest.fixture
def busy_run(postil: Postil, run: str) -> str:
    """The id of a run with a stage, a tool call and a question of the id "x"."""
    postil.start_stage(run, "x")
    postil.start_tool_call(run, "t", tool_call_id="x")
    postil.ask(run, "?", interaction_id="x", kind="question")
    return run


@pytest.fixture
def refusal(postil: Postil, record: Any) -> Callable[..., errors.WriteRefused]:
    """Sends a command that must be refused. Returns the error, which has advice, and checks that nothing was stored."""

    def send(
        command: Command[Any], *types: type[errors.WriteRefused], client: Postil = postil
    ) -> errors.WriteRefused:
        before = record.traces()
        with pytest.raises(types or errors.WriteRefused) as caught:
            client.send(command)
        assert record.traces() == before, "nothing is half written"
        assert caught.value.advice
        return caught.value

    return send
