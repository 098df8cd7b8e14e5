"""A coding agent's trajectory becomes a run: its steps tool calls, its thoughts the reasons, its exit the decision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from postil.importers import BadCase, MalformedInput, Options, Parsed, traj
from postil.importers.limits import BODY_LIMIT, VALUE_LIMIT, size
from postil.importers.source import Source

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
        (found,) = list(traj.read(source, "traj", Options()))
    return found


def history(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    found = read(tmp_path, trajectory(**changes))
    assert isinstance(found, Parsed)
    return dict(found.history)


def test_a_step_is_a_tool_call_with_its_arguments_result_and_duration(tmp_path: Path) -> None:
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


def test_the_thought_is_the_reason_for_the_call_it_led_to(tmp_path: Path) -> None:
    _, thought, _ = history(tmp_path)["steps"]

    assert thought == {
        "type": "annotation:created",
        "key": "decision.rationale",
        "value": "I look at it.",
        "scope": "tool_call",
        "scope_id": "step-1",
        "actor": {"kind": "agent", "id": "primary"},
    }


def test_the_exit_status_is_the_decision_and_the_submission_the_result(tmp_path: Path) -> None:
    found = history(tmp_path)

    assert (found["steps"][-1]["key"], found["steps"][-1]["value"]) == ("decision.outcome", "submitted")
    assert found["status"] == "completed"
    assert found["result"]["submission"] == "diff"


def test_what_the_agent_was_given_is_the_input(tmp_path: Path) -> None:
    assert history(tmp_path)["input"] == {"system_prompt": "You are a programmer.", "instruction": "Mend it."}


def test_no_time_is_made_up(tmp_path: Path) -> None:
    found = history(tmp_path)

    assert "recorded_at" not in found
    assert all("at" not in step for step in found["steps"])
    assert "import" in found["metadata"]["times"]


@pytest.mark.parametrize("status", ["exit_cost", "exit_context", None])
def test_an_agent_that_did_not_submit_failed_with_its_status(tmp_path: Path, status: str | None) -> None:
    found = history(tmp_path, info={"exit_status": status} if status else {})

    assert found["status"] == "failed"
    assert (status or "no exit_status") in found["error"]["message"]


def test_a_function_call_gives_its_name_and_arguments_to_the_step(tmp_path: Path) -> None:
    call = {"id": "call_1", "function": {"name": "open", "arguments": '{"path": "main.py"}'}}
    turns = [*HISTORY[:3], {**HISTORY[3], "tool_calls": [call]}]
    step, thought, _ = history(tmp_path, history=turns)["steps"]

    assert (step["name"], step["arguments"]) == ("open", {"action": "open main.py\n", "path": "main.py"})
    assert thought["payload"] == {"call_id": "call_1"}


def test_a_reply_that_says_more_than_thought_and_action_is_kept(tmp_path: Path) -> None:
    step = {**STEP, "response": "Aside. I look at it.\n```\nopen main.py\n```"}
    assert history(tmp_path, trajectory=[step])["steps"][1]["payload"] == {"response": step["response"]}


def test_the_model_is_the_agents_version_and_keys_to_it_are_not_stored(tmp_path: Path) -> None:
    config = {
        "agent": {"model": {"name": "m-1", "api_key": "sk-123", "tokens": 5}},
        "problem_statement": {"id": "i-7", "text": "?"},
    }
    found = history(tmp_path, replay_config=json.dumps(config))

    assert found["actor"] == {"kind": "agent", "id": "primary", "version": "m-1"}
    assert found["metadata"]["config"]["agent"]["model"] == {
        "name": "m-1",
        "api_key": {"redacted": True},
        "tokens": 5,
    }
    assert (found["name"], found["run_id"]) == ("i-7", "traj/fix-7")


def test_long_observations_and_thoughts_are_replaced_by_markers_that_say_so(tmp_path: Path) -> None:
    step = {**STEP, "observation": "é" * 200_000, "thought": "y" * 20_000}
    call, thought, _ = history(tmp_path, trajectory=[step])["steps"]

    assert (call["result"]["observation"]["truncated"], call["result"]["observation"]["bytes"]) == (
        True,
        400_000,
    )
    assert thought["value"]["bytes"] == 20_000
    assert size(call["result"]) <= BODY_LIMIT
    assert size(thought["value"]) <= VALUE_LIMIT


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
def test_what_is_no_trajectory_is_refused_with_its_place(tmp_path: Path, content: bytes, where: str) -> None:
    with pytest.raises(MalformedInput) as refused:
        read(tmp_path, content)
    assert where in refused.value.where
    assert refused.value.advice


def test_a_file_too_large_to_be_one_run_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traj, "FILE_BYTES", 1000)
    with pytest.raises(MalformedInput, match="too large"):
        read(tmp_path, trajectory(trajectory=[STEP] * 10))
