"""Maps a trajectory to the history of a run.

The files hold durations and no times. The steps keep their order and durations,
their times are those of the import, and the run's metadata states this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from postil.importers.errors import BadCase, MalformedInput
from postil.importers.histories import Actor, History, Json, Options, Parsed, Step
from postil.importers.limits import fit
from postil.importers.names import run_id
from postil.importers.source import Source
from postil.importers.traj.document import (
    UnexpectedShape,
    is_list,
    is_object,
    list_in,
    load,
    nested,
    object_in,
    parsed,
    text_in,
)
from postil.model.identifiers import within
from postil.model.limits import MAX_PAYLOAD_BYTES, MAX_VALUE_BYTES

TIMES = "Not in the file: each time is that of the import; order and durations are the original ones."
# Prompts and replies repeat the steps and can be many times as large.
OMITTED = ["history", "query", "messages", "edited_files"]
_SECRET = re.compile(
    r"(api_?key|secret|passw(or)?d|(access|auth|bearer|github|hf)_?token|private_?key|credentials?)$|^token$",
    re.IGNORECASE,
)


def read(source: Source, name: str, _options: Options) -> Iterator[Parsed | BadCase]:
    """Yield the one history of the file. Raises `MalformedInput` if it is not a trajectory."""
    document = load(source)
    try:
        mapping = _TrajectoryMapping(document)
        history = mapping.history(name, source.stem)
        yield Parsed(history, f"step {mapping.steps:,}", mapping.steps, mapping.remarks)
    except UnexpectedShape as error:
        raise MalformedInput(
            source.path,
            error.where,
            f"{error.problem}.",
            advice="Check that the file is a trajectory of SWE-agent.",
        ) from None


class _TrajectoryMapping:
    """The mapping of one trajectory to a history."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._trajectory = list_in(document, "trajectory", "")
        self._info = object_in(document, "info", "", {})
        self._config = _config(document)
        self._turns = [
            turn
            for turn in list_in(document, "history", "", [])
            if is_object(turn) and not turn.get("is_demo")
        ]
        self._calls = _calls(self._turns, len(self._trajectory))
        self.steps = len(self._trajectory)
        self.remarks: dict[str, int] = {"trajectories without times (the time of the import was used)": 1}

    def history(self, name: str, stem: str) -> History:
        outcome = self._info.get("exit_status")
        problem = nested(self._config, "problem_statement", "id")
        steps: list[Step] = []
        for number, step in enumerate(self._trajectory, 1):
            if not is_object(step):
                raise UnexpectedShape(f"trajectory[{number - 1}]", "A step is not a JSON object")
            self._add(steps, number, step)
        if outcome is not None:
            steps.append({"type": "annotation:created", "key": "decision.outcome", "value": str(outcome)[:1000],
                          "scope": "run", "actor": self._actor})  # fmt: skip
        details = {key: value for key, value in self._info.items() if not key.startswith(tuple(OMITTED))}
        history: History = {
            "run_id": run_id(name, stem),
            "name": problem if isinstance(problem, str) and problem else stem,
            "status": "completed" if str(outcome).startswith("submitted") else "failed",
            "actor": self._actor,
            "trigger": {"source": "import", "action": "import"},
            "input": self._fit(self._input(), MAX_PAYLOAD_BYTES),
            "metadata": self._fit(
                {
                    "format": "traj",
                    "environment": self._document.get("environment"),
                    "config": _without_secrets(self._config),
                    "times": TIMES,
                    "omitted": cast("Json", OMITTED),
                },
                MAX_PAYLOAD_BYTES,
            ),
            "steps": steps,
        }
        if history["status"] == "completed":
            history["result"] = self._fit(details, MAX_PAYLOAD_BYTES)
        elif outcome is None:
            message = "The file has no exit_status: the agent was interrupted, or was still running when the file was copied."
            history["error"] = self._fit({"message": message, **details}, MAX_PAYLOAD_BYTES)
        else:
            history["error"] = self._fit(
                {"message": f"The agent ended with {outcome}.", **details}, MAX_PAYLOAD_BYTES
            )
        return history

    @property
    def _actor(self) -> Actor:
        agent = next(
            (turn["agent"] for turn in self._turns if isinstance(turn.get("agent"), str) and turn["agent"]),
            "agent",
        )
        model = nested(self._config, "agent", "model", "name") or nested(
            self._config, "agent", "model", "model_name"
        )
        actor: Actor = {"kind": "agent", "id": within(agent)}
        if isinstance(model, str) and model:
            actor["version"] = within(model)
        return actor

    def _input(self) -> dict[str, Json]:
        """Return what the agent received: the problem, if the file names it, and its first prompt and instruction."""
        values: dict[str, Json] = {}
        if problem := nested(self._config, "problem_statement", "text"):
            values["problem"] = problem
        for role, key in (("system", "system_prompt"), ("user", "instruction")):
            if turn := next((turn for turn in self._turns if turn.get("role") == role), None):
                values[key] = cast("Json", turn.get("content"))
        return values

    def _add(self, steps: list[Step], number: int, step: dict[str, Any]) -> None:
        where = f"trajectory[{number - 1}]"
        action, thought = text_in(step, "action", where), text_in(step, "thought", where)
        name, arguments, call_id = self._calls.get(number) or (*_command(action), None)
        identifier = f"step-{number}"
        call: Step = {
            "type": "tool_call:completed",
            "id": identifier,
            "name": within(name),
            "kind": "tool",
            "actor": self._actor,
            "arguments": self._fit(
                {"action": action, **arguments} if arguments else {"action": action}, MAX_PAYLOAD_BYTES
            ),
            "result": self._fit(
                {"observation": step.get("observation"), "state": parsed(step.get("state"))},
                MAX_PAYLOAD_BYTES,
            ),
        }
        if (seconds := step.get("execution_time")) is not None:
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
                raise UnexpectedShape(
                    f"{where}.execution_time", f"{str(seconds)[:60]} is not a duration in seconds"
                )
            call["duration_ms"] = round(seconds * 1000, 3)
        steps.append(call)
        if thought.strip():
            rationale: Step = {
                "type": "annotation:created",
                "key": "decision.rationale",
                "value": self._fit(thought.strip("\n"), MAX_VALUE_BYTES),
                "scope": "tool_call",
                "scope_id": identifier,
                "actor": self._actor,
            }
            payload: dict[str, Json] = {"call_id": call_id} if call_id else {}
            response = text_in(step, "response", where)
            rest = response.replace(thought, "").replace(action, "").strip("` \r\n")
            if rest:  # the reply has more than the thought and the action
                payload["response"] = response
            if payload:
                rationale["payload"] = self._fit(payload, MAX_PAYLOAD_BYTES)
            steps.append(rationale)

    def _fit(self, value: Json, limit: int) -> Json:
        fitted, markers = fit(value, limit)
        if markers:
            remark = "values too large to store (replaced by a marker with size and SHA-256)"
            self.remarks[remark] = self.remarks.get(remark, 0) + markers
        return fitted


def _calls(turns: list[dict[str, Any]], steps: int) -> dict[int, tuple[str, dict[str, Json], str | None]]:
    """Return the function call of each step by the step's number, if the model acted by function calls."""
    actions = [turn for turn in turns if turn.get("message_type") == "action"]
    if len(actions) != steps:
        return {}  # the file lacks turns: a call could be assigned to the wrong step
    by_step: dict[int, tuple[str, dict[str, Json], str | None]] = {}
    for number, turn in enumerate(actions, 1):
        calls = turn.get("tool_calls")
        call = calls[0] if is_list(calls) and calls else None
        name, arguments = nested(call, "function", "name"), parsed(nested(call, "function", "arguments"))
        if isinstance(name, str) and name:
            values: dict[str, Json] = arguments if isinstance(arguments, dict) else {"arguments": arguments}
            call_id = nested(call, "id")
            by_step[number] = (name, values, call_id if isinstance(call_id, str) else None)
    return by_step


def _command(action: str) -> tuple[str, dict[str, Json]]:
    """Return the command's name, which is the first word of the action, and no arguments."""
    first = action.split(maxsplit=1)
    return (first[0] if first else "(no action)"), {}


def _config(document: dict[str, Any]) -> Json:
    """Return the agent's configuration. Older files hold it as JSON in a string."""
    return parsed(document.get("replay_config"))


def _without_secrets(value: Json) -> Json:
    if isinstance(value, list):
        return [_without_secrets(child) for child in value]
    if not isinstance(value, dict):
        return value
    return {
        key: {"redacted": True}
        if child and isinstance(child, str) and _SECRET.search(key)
        else _without_secrets(child)
        for key, child in value.items()
    }
