"""Questions a run waits on: the first answer stands, an approval leaves its annotations."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from postil import Postil, errors, user

T0 = datetime(2022, 3, 4, 5, 6, 7, tzinfo=UTC)
ACCEPT = {"outcome": "accept", "note": "fine"}


def test_asking_suspends_the_run_and_the_answer_resumes_it(postil: Postil, record: Any, run: str) -> None:
    postil.start_stage(run, "s")
    asked = postil.ask(run, "Refund 42 EUR?", interaction_id="i", to="finance", stage_id="s", recorded_at=T0)
    assert (asked.id, asked.run_seq, asked.created) == ("i", 3, True)
    assert record.status(run) == "waiting_for_interaction"
    answered = postil.resolve_interaction(run, "i", ACCEPT, {"extra": 1}, actor=user("ada"), recorded_at=T0)
    assert answered.created
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


def test_an_approval_leaves_one_group_of_annotations_about_the_interaction(
    postil: Postil, record: Any, run: str
) -> None:
    postil.ask(run, "?", interaction_id="i")
    postil.resolve_interaction(run, "i", ACCEPT, actor=user("ada"), recorded_at=T0)
    notes = [data for type_, data in record.events(run) if type_ == "annotation:created"]
    assert {note["key"]: note["value"] for note in notes} == {
        "approval.outcome": "accept",
        "approval.approvers": ["ada"],
        "approval.timestamp": "2022-03-04T05:06:07.000000Z",
        "approval.note": "fine",
    }
    assert {(note["scope"], note["scope_id"]) for note in notes} == {("interaction", "i")}
    assert len({note["group_id"] for note in notes}) == 1
    assert {note["actor"]["id"] for note in notes} == {"ada"}


def test_a_question_takes_any_json_even_null(postil: Postil, record: Any, run: str) -> None:
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
def test_an_approval_takes_nothing_but_accept_or_decline(
    postil: Postil, record: Any, run: str, answer: Any
) -> None:
    postil.ask(run, "?", interaction_id="i")
    before = record.traces()
    with pytest.raises(errors.InvalidInput) as refused:
        postil.resolve_interaction(run, "i", answer)
    assert refused.value.field == "answer.outcome"
    assert record.traces() == before


def test_the_run_waits_for_the_last_of_its_questions(postil: Postil, record: Any, run: str) -> None:
    postil.ask(run, "?", interaction_id="a")
    postil.ask(run, "?", interaction_id="b")
    postil.resolve_interaction(run, "a", ACCEPT)
    assert record.status(run) == "waiting_for_interaction"
    postil.cancel_interaction(run, "b", actor=user("ada"))
    assert record.status(run) == "running"
    assert record.types(run).count("run:suspended") == 1
    assert record.types(run)[-2:] == ["interaction:cancelled", "run:resumed"]


def test_the_first_answer_stands(postil: Postil, record: Any, run: str) -> None:
    postil.ask(run, "?", interaction_id="i")
    assert not postil.ask(run, "?", interaction_id="i").created
    assert postil.resolve_interaction(run, "i", ACCEPT, actor=user("ada")).created
    assert not postil.resolve_interaction(run, "i", ACCEPT, actor=user("ada")).created
    before = record.traces()
    for refused in (
        lambda: postil.resolve_interaction(run, "i", {"outcome": "decline"}, actor=user("ada")),
        lambda: postil.resolve_interaction(run, "i", ACCEPT, actor=user("bob")),
        lambda: postil.resolve_interaction(run, "i", ACCEPT, {"more": 1}, actor=user("ada")),
        lambda: postil.cancel_interaction(run, "i"),
        lambda: postil.ask(run, "another question", interaction_id="i"),
    ):
        with pytest.raises(errors.InteractionEnded) as told:
            refused()
        assert told.value.field == "interaction_id"
    with pytest.raises(errors.InteractionNotFound):
        postil.resolve_interaction(run, "unheard of", ACCEPT)
    with pytest.raises(errors.InteractionNotFound):
        postil.cancel_interaction(run, "unheard of")
    assert record.traces() == before


def test_a_withdrawn_question_takes_no_answer(postil: Postil, record: Any, run: str) -> None:
    postil.ask(run, "?", interaction_id="i")
    assert postil.cancel_interaction(run, "i").created
    assert not postil.cancel_interaction(run, "i").created
    with pytest.raises(errors.InteractionEnded):
        postil.resolve_interaction(run, "i", ACCEPT)


def test_of_many_answers_at_once_one_stands(postil: Postil, record: Any, run: str) -> None:
    postil.ask(run, "?", interaction_id="i")
    outcomes: list[str] = []

    def answer(name: str) -> None:
        try:
            postil.resolve_interaction(run, "i", ACCEPT, actor=user(name))
            outcomes.append("stands")
        except errors.InteractionEnded:
            outcomes.append("refused")

    threads = [threading.Thread(target=answer, args=(f"user {n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 5 + ["stands"]
    assert record.types(run).count("interaction:resolved") == 1
