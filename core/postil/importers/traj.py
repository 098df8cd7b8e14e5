"""Trajectories of coding agents (SWE-agent's ``.traj``, JSON): a trajectory becomes a run, its steps tool calls.

The files hold durations and no times: the steps keep their order and durations,
and their times are those of the import; the run's metadata says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TypeGuard, cast

from postil.errors import InvalidInput
from postil.importers.errors import BadCase, BadValue, MalformedInput
from postil.importers.histories import Actor, History, Json, Options, Parsed, Step
from postil.importers.limits import BODY_LIMIT, VALUE_LIMIT, fit
from postil.importers.names import run_id, within
from postil.importers.source import Source
from postil.model.json_text import MAX_DEPTH, encode

WHOLE = "the JSON"
FILE_BYTES = 64 * 1024 * 1024
TIMES = "Not in the file: each time is that of the import; order and durations are the original ones."
# Prompts and replies repeat the steps, and can be many times their size.
OMITTED = ["history", "query", "messages", "edited_files"]
_SECRET = re.compile(
    r"(api_?key|secret|passw(or)?d|(access|auth|bearer|github|hf)_?token|private_?key|credentials?)$|^token$",
    re.IGNORECASE,
)


def read(source: Source, name: str, _options: Options) -> Iterator[Parsed | BadCase]:
    """Yield the one history of the file. Raises `MalformedInput` where it is no trajectory."""
    document = _load(source)
    try:
        mapping = _TrajectoryMapping(document)
        history = mapping.history(name, source.stem)
        yield Parsed(history, f"step {mapping.steps:,}", mapping.steps, mapping.notes)
    except _Misshapen as error:
        raise MalformedInput(
            source.path,
            error.where,
            f"{error.problem}.",
            advice="Check that the file is a trajectory of SWE-agent.",
        ) from None


class _Misshapen(BadValue):
    def __init__(self, where: str, problem: str) -> None:
        self.where = where.lstrip(".") or "the top level"
        self.problem = problem
        super().__init__(problem)


def _load(source: Source) -> dict[str, Any]:
    data = bytearray()
    for chunk in source.chunks():
        data += chunk
        if len(data) > FILE_BYTES:
            raise MalformedInput(
                source.path,
                f"byte {FILE_BYTES:,}",
                "The trajectory is too large to be one run.",
                advice=f"A trajectory may have {FILE_BYTES:,} bytes.",
            )

    def refuse(constant: str) -> NoReturn:
        raise _Misshapen("", f"{constant} is not JSON")

    try:
        document = json.loads(data.decode("utf-8-sig"), parse_constant=refuse)
        encode(document, WHOLE)
    except UnicodeDecodeError as error:
        raise MalformedInput(
            source.path,
            f"byte {error.start:,}",
            f"The byte 0x{data[error.start]:02x} is not valid UTF-8.",
            advice="JSON is UTF-8: convert the file.",
        ) from None
    except json.JSONDecodeError as error:
        raise MalformedInput(
            source.path,
            f"line {error.lineno:,}, column {error.colno:,}",
            f"The JSON is broken: {error.msg}.",
            advice="If it was cut off, fetch it again.",
        ) from None
    except RecursionError:
        raise MalformedInput(
            source.path,
            "the top level",
            "The JSON is nested too deep.",
            advice=f"A trajectory nests {MAX_DEPTH} levels at most.",
        ) from None
    except InvalidInput as error:  # NUL, a lone surrogate, too deep
        place = error.field or WHOLE
        raise MalformedInput(
            source.path,
            place.removeprefix(f"{WHOLE}."),
            error.what.replace(place, "It", 1),
            advice="Correct it there and import again.",
        ) from None
    except _Misshapen as error:  # a constant that is not JSON
        raise MalformedInput(source.path, WHOLE, f"{error}.", advice="Correct it and import again.") from None
    except ValueError:
        raise MalformedInput(
            source.path,
            WHOLE,
            "It has an integer of thousands of digits.",
            advice="Correct it and import again.",
        ) from None
    if not _is_object(document):
        raise MalformedInput(
            source.path,
            "the top level",
            "This is no trajectory: not a JSON object.",
            advice="Check that the file is SWE-agent's.",
        )
    return document


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


class _TrajectoryMapping:
    """One trajectory on its way to a history."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._trajectory = _list(document, "trajectory", "")
        self._info = _object(document, "info", "", {})
        self._config = _config(document)
        self._turns = [
            turn
            for turn in _list(document, "history", "", [])
            if _is_object(turn) and not turn.get("is_demo")
        ]
        self._calls = _calls(self._turns, len(self._trajectory))
        self.steps = len(self._trajectory)
        self.notes: dict[str, int] = {"trajectories without times (those of the import stand in)": 1}

    def history(self, name: str, stem: str) -> History:
        outcome = self._info.get("exit_status")
        problem = _at(self._config, "problem_statement", "id")
        steps: list[Step] = []
        for number, step in enumerate(self._trajectory, 1):
            if not _is_object(step):
                raise _Misshapen(f"trajectory[{number - 1}]", "A step is not a JSON object")
            self._add(steps, number, step)
        if outcome is not None:
            steps.append({"type": "annotation:created", "key": "decision.outcome", "value": str(outcome)[:1000],
                          "scope": "run", "actor": self._actor})  # fmt: skip
        known = {key: value for key, value in self._info.items() if not key.startswith(tuple(OMITTED))}
        history: History = {
            "run_id": run_id(name, stem),
            "name": problem if isinstance(problem, str) and problem else stem,
            "status": "completed" if str(outcome).startswith("submitted") else "failed",
            "actor": self._actor,
            "trigger": {"source": "import", "action": "import"},
            "input": self._fit(self._input(), BODY_LIMIT),
            "metadata": self._fit(
                {
                    "format": "traj",
                    "environment": self._document.get("environment"),
                    "config": _without_secrets(self._config),
                    "times": TIMES,
                    "omitted": cast("Json", OMITTED),
                },
                BODY_LIMIT,
            ),
            "steps": steps,
        }
        if history["status"] == "completed":
            history["result"] = self._fit(known, BODY_LIMIT)
        elif outcome is None:
            message = "The file has no exit_status: the agent was cut off, or still at work when the file was copied."
            history["error"] = self._fit({"message": message, **known}, BODY_LIMIT)
        else:
            history["error"] = self._fit({"message": f"The agent ended with {outcome}.", **known}, BODY_LIMIT)
        return history

    @property
    def _actor(self) -> Actor:
        agent = next(
            (turn["agent"] for turn in self._turns if isinstance(turn.get("agent"), str) and turn["agent"]),
            "agent",
        )
        model = _at(self._config, "agent", "model", "name") or _at(
            self._config, "agent", "model", "model_name"
        )
        actor: Actor = {"kind": "agent", "id": within(agent)}
        if isinstance(model, str) and model:
            actor["version"] = within(model)
        return actor

    def _input(self) -> dict[str, Json]:
        """What the agent was given: the problem where the file names it, else its first instruction."""
        found: dict[str, Json] = {}
        if problem := _at(self._config, "problem_statement", "text"):
            found["problem"] = problem
        for role, key in (("system", "system_prompt"), ("user", "instruction")):
            if turn := next((turn for turn in self._turns if turn.get("role") == role), None):
                found[key] = cast("Json", turn.get("content"))
        return found

    def _add(self, steps: list[Step], number: int, step: dict[str, Any]) -> None:
        where = f"trajectory[{number - 1}]"
        action, thought = _text(step, "action", where), _text(step, "thought", where)
        name, arguments, call_id = self._calls.get(number) or (*_command(action), None)
        identifier = f"step-{number}"
        call: Step = {
            "type": "tool_call:completed",
            "id": identifier,
            "name": within(name),
            "kind": "tool",
            "actor": self._actor,
            "arguments": self._fit(
                {"action": action, **arguments} if arguments else {"action": action}, BODY_LIMIT
            ),
            "result": self._fit(
                {"observation": step.get("observation"), "state": _parsed(step.get("state"))}, BODY_LIMIT
            ),
        }
        if (seconds := step.get("execution_time")) is not None:
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
                raise _Misshapen(f"{where}.execution_time", f"{str(seconds)[:60]} is no duration in seconds")
            call["duration_ms"] = round(seconds * 1000, 3)
        steps.append(call)
        if thought.strip():
            note: Step = {
                "type": "annotation:created",
                "key": "decision.rationale",
                "value": self._fit(thought.strip("\n"), VALUE_LIMIT),
                "scope": "tool_call",
                "scope_id": identifier,
                "actor": self._actor,
            }
            payload: dict[str, Json] = {"call_id": call_id} if call_id else {}
            response = _text(step, "response", where)
            said = response.replace(thought, "").replace(action, "").strip("` \r\n")
            if said:  # the reply says more than the thought and the action that were taken from it
                payload["response"] = response
            if payload:
                note["payload"] = self._fit(payload, BODY_LIMIT)
            steps.append(note)

    def _fit(self, value: Json, limit: int) -> Json:
        fitted, markers = fit(value, limit)
        if markers:
            remark = "values too large to store (a marker with size and SHA-256 stands for each)"
            self.notes[remark] = self.notes.get(remark, 0) + markers
        return fitted


def _calls(turns: list[dict[str, Any]], steps: int) -> dict[int, tuple[str, dict[str, Json], str | None]]:
    """The function call of each step, where the model made its actions as function calls, by the step's number."""
    acts = [turn for turn in turns if turn.get("message_type") == "action"]
    if len(acts) != steps:
        return {}  # turns were left out of the file: a call could be given to the wrong step
    found: dict[int, tuple[str, dict[str, Json], str | None]] = {}
    for number, turn in enumerate(acts, 1):
        calls = turn.get("tool_calls")
        call = calls[0] if _is_list(calls) and calls else None
        name, arguments = _at(call, "function", "name"), _parsed(_at(call, "function", "arguments"))
        if isinstance(name, str) and name:
            given: dict[str, Json] = arguments if isinstance(arguments, dict) else {"arguments": arguments}
            call_id = _at(call, "id")
            found[number] = (name, given, call_id if isinstance(call_id, str) else None)
    return found


def _command(action: str) -> tuple[str, dict[str, Json]]:
    """The command's name: the first word of the action."""
    first = action.split(maxsplit=1)
    return (first[0] if first else "(no action)"), {}


def _config(document: dict[str, Any]) -> Json:
    """The configuration the agent ran with; older files hold it as JSON in a string."""
    return _parsed(document.get("replay_config"))


def _parsed(value: Any) -> Json:
    if not isinstance(value, str):
        return cast("Json", value)
    try:
        found = json.loads(value, parse_constant=str)
        encode(found, "")
    except (ValueError, RecursionError, InvalidInput):
        return value
    return cast("Json", found) if isinstance(found, dict | list) else value


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


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if _is_object(value) else None
    return value


def _list(document: dict[str, Any], key: str, where: str, default: list[Any] | None = None) -> list[Any]:
    found = document.get(key, default)
    if not _is_list(found):
        raise _Misshapen(f"{where}.{key}", f"This is no trajectory: {key!r} is not a list of steps")
    return found


def _object(document: dict[str, Any], key: str, where: str, default: dict[str, Any]) -> dict[str, Any]:
    found = document.get(key, default)
    if not _is_object(found):
        raise _Misshapen(f"{where}.{key}", f"{key!r} is not a JSON object")
    return found


def _text(step: dict[str, Any], key: str, where: str) -> str:
    found = step.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise _Misshapen(f"{where}.{key}", f"{key!r} is not a text")
    return found
