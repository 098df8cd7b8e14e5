"""The mapping of a coding agent's trajectory: steps become tool calls, thoughts rationales, the exit status the decision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from postil.importers import BadCase, MalformedInput, Options, Parsed, traj
from postil.importers.limits import size
from postil.importers.source import Source
from postil.importers.traj import document
from postil.model.limits import MAX_PAYLOAD_BYTES, MAX_VALUE_BYTES

STEP = {
    "action": "open main.py\n",
    "observation": "[File: main.py]",
    "response": "I look at it.\n```\nopen main.py\n```",
    "thought": "I look at it.\n",
    "state": '{"open_file": "n/a"}',
    "execution_time": 0.25,
}
HISTORY: list[dict[str, Any]] = [
    {"role": "system", "content": "You are a programmer.", "agent": "primary"},
    {"role": "user", "content": "demo", "is_demo": True, "agent": "primary"},
    {"role": "user", "content": "Mend it.", "agent": "primary"},
    {"role": "assistant", "message_type": "action", "content": "…", "agent": "primary"},
]


def trajectory(**changes: Any) -> dict[str, Any]:
    info = {"exit_status": "submitted", "submission": "diff", "model_stats": {"api_calls": 1}}
    return {"environment": "main", "trajectory": [STEP], "history": HISTORY, "info": info, **changes}


def read(tmp_path: Path, content: Any) -> Parsed | BadCase:
    file = tmp_path / "fix-7.traj"
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with Source(file, (".traj",)) as source:
        (case,) = list(traj.read(source, "traj", Options()))
    return case


def history(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    case = read(tmp_path, trajectory(**changes))
    assert isinstance(case, Parsed)
    return dict(case.history)


def test_a_step_becomes_a_tool_call(tmp_path: Path) -> None:
    """A step becomes one completed tool call with arguments, result and duration in milliseconds."""
    call, *_ = history(tmp_path)["steps"]

    assert call == {
        "type": "tool_call:completed",
        "id": "step-1",
        "name": "open",
        "kind": "tool",
        "actor": {"kind": "agent", "id": "primary"},
        "arguments": {"action": "open main.py\n"},
        "result": {"observation": "[File: main.py]", "state": {"open_file": "n/a"}},
        "duration_ms": 250.0,
    }


def test_a_thought_becomes_the_rationale_of_its_call(tmp_path: Path) -> None:
    """A step's thought becomes a `decision.rationale` annotation whose scope is the tool call."""
    _, thought, _ = history(tmp_path)["steps"]

    assert thought == {
        "type": "annotation:created",
        "key": "decision.rationale",
        "value": "I look at it.",
        "scope": "tool_call",
        "scope_id": "step-1",
        "actor": {"kind": "agent", "id": "primary"},
    }


def test_the_exit_status_becomes_the_decision(tmp_path: Path) -> None:
    """The exit status becomes `decision.outcome`, and the submission is part of the run's result."""
    run = history(tmp_path)

    assert (run["steps"][-1]["key"], run["steps"][-1]["value"]) == ("decision.outcome", "submitted")
    assert run["status"] == "completed"
    assert run["result"]["submission"] == "diff"


def test_prompts_become_the_input(tmp_path: Path) -> None:
    """The system prompt and the first instruction that is not a demonstration become the run's input."""
    assert history(tmp_path)["input"] == {"system_prompt": "You are a programmer.", "instruction": "Mend it."}


def test_no_time_is_invented(tmp_path: Path) -> None:
    """A trajectory has no times, so the history has none, and its metadata states this."""
    run = history(tmp_path)

    assert "recorded_at" not in run
    assert all("at" not in step for step in run["steps"])
    assert "import" in run["metadata"]["times"]


@pytest.mark.parametrize("status", ["exit_cost", "exit_context", None])
def test_an_agent_that_did_not_submit_has_failed(tmp_path: Path, status: str | None) -> None:
    """A run whose exit status is not a submission has failed, with the status in its error."""
    run = history(tmp_path, info={"exit_status": status} if status else {})

    assert run["status"] == "failed"
    assert (status or "no exit_status") in run["error"]["message"]


def test_a_function_call_names_the_tool_call(tmp_path: Path) -> None:
    """If the model acted by a function call, its name and arguments are those of the tool call."""
    call = {"id": "call_1", "function": {"name": "open", "arguments": '{"path": "main.py"}'}}
    turns = [*HISTORY[:3], {**HISTORY[3], "tool_calls": [call]}]
    step, thought, _ = history(tmp_path, history=turns)["steps"]

    assert (step["name"], step["arguments"]) == ("open", {"action": "open main.py\n", "path": "main.py"})
    assert thought["payload"] == {"call_id": "call_1"}


def test_a_longer_reply_is_kept_as_payload(tmp_path: Path) -> None:
    """A reply with more than the thought and the action is the payload of the rationale."""
    step = {**STEP, "response": "Aside. I look at it.\n```\nopen main.py\n```"}
    assert history(tmp_path, trajectory=[step])["steps"][1]["payload"] == {"response": step["response"]}


def test_the_model_is_the_version_and_secrets_are_redacted(tmp_path: Path) -> None:
    """The model's name is the actor's version, and API keys of the configuration are redacted."""
    config = {
        "agent": {"model": {"name": "m-1", "api_key": "sk-123", "tokens": 5}},
        "problem_statement": {"id": "i-7", "text": "?"},
    }
    run = history(tmp_path, replay_config=json.dumps(config))

    assert run["actor"] == {"kind": "agent", "id": "primary", "version": "m-1"}
    assert run["metadata"]["config"]["agent"]["model"] == {
        "name": "m-1",
        "api_key": {"redacted": True},
        "tokens": 5,
    }
    assert (run["name"], run["run_id"]) == ("i-7", "traj/fix-7")


def test_values_over_the_limit_become_markers(tmp_path: Path) -> None:
    """Observations and thoughts over the size limit are replaced by markers with their size."""
    step = {**STEP, "observation": "é" * 200_000, "thought": "y" * 20_000}
    call, thought, _ = history(tmp_path, trajectory=[step])["steps"]

    assert (call["result"]["observation"]["truncated"], call["result"]["observation"]["bytes"]) == (
        True,
        400_000,
    )
    assert thought["value"]["bytes"] == 20_000
    assert size(call["result"]) <= MAX_PAYLOAD_BYTES
    assert size(thought["value"]) <= MAX_VALUE_BYTES


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"", "line 1"),
        (b'{"trajectory": [', "line 1, column 17"),
        (b'{"trajectory": "\xe9"}', "byte 16"),
        (b"[1, 2]", "the top level"),
        (b'{"trajectory": 7}', "trajectory"),
        (b'{"info": {}}', "trajectory"),
        (b'{"trajectory": [7]}', "trajectory[0]"),
        (b'{"trajectory": [{"action": 7}]}', "trajectory[0].action"),
        (b'{"trajectory": [{"execution_time": -1}]}', "trajectory[0].execution_time"),
        (b'{"trajectory": [{"execution_time": "soon"}]}', "trajectory[0].execution_time"),
        (b'{"trajectory": [], "info": 7}', "info"),
        (b'{"trajectory": [], "x": NaN}', "the JSON"),
        (rb'{"trajectory": [{"action": "a\u0000"}]}', "trajectory[0].action"),
        (rb'{"trajectory": [{"action": "a\ud800"}]}', "trajectory[0].action"),
        (b'{"trajectory": ' + b"[" * 500 + b"]" * 500 + b"}", "the JSON"),
        (b"[" * 100_000, "the top level"),
        (b'{"x": ' + b"9" * 5000 + b"}", "the JSON"),
    ],
)
def test_a_malformed_document_is_refused_with_its_position(
    tmp_path: Path, content: bytes, where: str
) -> None:
    """Content that is not a trajectory raises `MalformedInput` with its position and advice."""
    with pytest.raises(MalformedInput) as raised:
        read(tmp_path, content)
    assert where in raised.value.where
    assert raised.value.advice


def test_a_file_over_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file larger than `FILE_BYTES` is refused before its JSON is parsed."""
    monkeypatch.setattr(document, "FILE_BYTES", 1000)
    with pytest.raises(MalformedInput, match="too large"):
        read(tmp_path, trajectory(trajectory=[STEP] * 10))
