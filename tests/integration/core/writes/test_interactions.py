"""Interactions: a run waits for its questions, takes the first answer, and an approval writes annotations."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from postil import Postil, errors, user

T0 = datetime(2022, 3, 4, 5, 6, 7, tzinfo=UTC)
ACCEPT = {"outcome": "accept", "note": "fine"}


def test_asking_suspends_the_run_and_the_answer_resumes_it(postil: Postil, record: Any, run: str) -> None:
    """`ask` suspends the run, and `resolve_interaction` stores the answer with its annotations and resumes it."""
    postil.start_stage(run, "s")
    receipt = postil.ask(
        run, "Refund 42 EUR?", interaction_id="i", to="finance", stage_id="s", recorded_at=T0
    )
    assert (receipt.id, receipt.run_seq, receipt.created) == ("i", 3, True)
    assert record.status(run) == "waiting_for_interaction"
    resolution = postil.resolve_interaction(run, "i", ACCEPT, {"extra": 1}, actor=user("ada"), recorded_at=T0)
    assert resolution.created
    assert record.status(run) == "running"
    assert record.types(run)[2:] == [
        "interaction:created",
        "run:suspended",
        *["annotation:created"] * 5,
        "interaction:resolved",
        "run:resumed",
    ]
    question = record.events(run)[2][1]
    assert question == {
        "id": "i",
        "kind": "approval",
        "prompt": "Refund 42 EUR?",
        "assignee": "finance",
        "status": "pending",
        "attempt": 1,
        "stage_id": "s",
        "answer": None,
        "actor": None,
        "asked_at": "2022-03-04T05:06:07.000000Z",
        "ended_at": None,
    }
    assert record.events(run)[-2][1] == question | {
        "status": "resolved",
        "answer": ACCEPT,
        "actor": {"kind": "user", "id": "ada", "version": None},
        "ended_at": "2022-03-04T05:06:07.000000Z",
    }


def test_an_approval_writes_one_group_of_annotations(postil: Postil, record: Any, run: str) -> None:
    """An answered approval writes its `approval.` keys as one group, by the actor, about the interaction."""
    postil.ask(run, "?", interaction_id="i")
    postil.resolve_interaction(run, "i", ACCEPT, actor=user("ada"), recorded_at=T0)
    annotations = [data for type_, data in record.events(run) if type_ == "annotation:created"]
    assert {annotation["key"]: annotation["value"] for annotation in annotations} == {
        "approval.outcome": "accept",
        "approval.approvers": ["ada"],
        "approval.timestamp": "2022-03-04T05:06:07.000000Z",
        "approval.note": "fine",
    }
    assert {(annotation["scope"], annotation["scope_id"]) for annotation in annotations} == {
        ("interaction", "i")
    }
    assert len({annotation["group_id"] for annotation in annotations}) == 1
    assert {annotation["actor"]["id"] for annotation in annotations} == {"ada"}


def test_a_question_takes_any_json_as_its_answer(postil: Postil, record: Any, run: str) -> None:
    """The answer to a question may be any JSON value, also null, and writes no annotation."""
    for n, answer in enumerate([None, "text", {"outcome": "maybe"}, [1], False]):
        postil.ask(run, "?", interaction_id=f"{n}", kind="question")
        postil.resolve_interaction(run, f"{n}", answer)
        assert (
            record.one("select answer from postil.interaction where run_id = %s and id = %s", run, f"{n}")
            == answer
        )
    assert record.keys(run) == []


@pytest.mark.parametrize(
    "answer",
    [None, "accept", {}, {"outcome": None}, {"outcome": "maybe"}, {"outcome": ["accept"]}, {"outcome": True}],
)
def test_an_approval_takes_only_accept_or_decline(postil: Postil, record: Any, run: str, answer: Any) -> None:
    """An answer to an approval whose outcome is neither accept nor decline is refused by its field."""
    postil.ask(run, "?", interaction_id="i")
    before = record.traces()
    with pytest.raises(errors.InvalidInput) as caught:
        postil.resolve_interaction(run, "i", answer)
    assert caught.value.field == "answer.outcome"
    assert record.traces() == before


def test_a_run_resumes_when_its_last_question_has_ended(postil: Postil, record: Any, run: str) -> None:
    """A run with two questions is suspended once, and resumes when the last one is resolved or cancelled."""
    postil.ask(run, "?", interaction_id="a")
    postil.ask(run, "?", interaction_id="b")
    postil.resolve_interaction(run, "a", ACCEPT)
    assert record.status(run) == "waiting_for_interaction"
    postil.cancel_interaction(run, "b", actor=user("ada"))
    assert record.status(run) == "running"
    assert record.types(run).count("run:suspended") == 1
    assert record.types(run)[-2:] == ["interaction:cancelled", "run:resumed"]


def test_only_the_first_answer_is_accepted(postil: Postil, record: Any, run: str) -> None:
    """After the first answer, the same answer is a retry, and any other answer, cancellation or question is refused."""
    postil.ask(run, "?", interaction_id="i")
    assert not postil.ask(run, "?", interaction_id="i").created
    assert postil.resolve_interaction(run, "i", ACCEPT, actor=user("ada")).created
    assert not postil.resolve_interaction(run, "i", ACCEPT, actor=user("ada")).created
    before = record.traces()
    for refused_call in (
        lambda: postil.resolve_interaction(run, "i", {"outcome": "decline"}, actor=user("ada")),
        lambda: postil.resolve_interaction(run, "i", ACCEPT, actor=user("bob")),
        lambda: postil.resolve_interaction(run, "i", ACCEPT, {"more": 1}, actor=user("ada")),
        lambda: postil.cancel_interaction(run, "i"),
        lambda: postil.ask(run, "another question", interaction_id="i"),
    ):
        with pytest.raises(errors.InteractionEnded) as caught:
            refused_call()
        assert caught.value.field == "interaction_id"
    with pytest.raises(errors.InteractionNotFound):
        postil.resolve_interaction(run, "unknown", ACCEPT)
    with pytest.raises(errors.InteractionNotFound):
        postil.cancel_interaction(run, "unknown")
    assert record.traces() == before


def test_a_cancelled_question_takes_no_answer(postil: Postil, record: Any, run: str) -> None:
    """A cancelled question refuses an answer, and a second cancellation is a retry."""
    postil.ask(run, "?", interaction_id="i")
    assert postil.cancel_interaction(run, "i").created
    assert not postil.cancel_interaction(run, "i").created
    with pytest.raises(errors.InteractionEnded):
        postil.resolve_interaction(run, "i", ACCEPT)


def test_one_of_many_concurrent_answers_is_accepted(postil: Postil, record: Any, run: str) -> None:
    """When six users answer concurrently, one answer is stored, and the others raise `InteractionEnded`."""
    postil.ask(run, "?", interaction_id="i")
    outcomes: list[str] = []

    def answer(name: str) -> None:
        try:
            postil.resolve_interaction(run, "i", ACCEPT, actor=user(name))
            outcomes.append("accepted")
        except errors.InteractionEnded:
            outcomes.append("refused")

    threads = [threading.Thread(target=answer, args=(f"user {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["accepted"] + ["refused"] * 5
    assert record.types(run).count("interaction:resolved") == 1
