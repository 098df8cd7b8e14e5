"""The API over real HTTP and a real database: hostile ids, typed refusals, one write, and what it says when parts are away."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from fixtures.openapi import Contract
from postil import Postil
from postil.http.run_ids import to_segment
from postil.model.actors import agent
from postil.model.conventions import Decision
from postil.settings import load_settings
from postil_consumers.dashboard.testing import ThreadedDashboard
from postil_stack.servers.postgres import EmbeddedPostgres

HOSTILE = [
    "..",
    ".",
    "a/b/../c",
    "stages",
    "x/stages",
    "%2e%2e%2f",
    "100%",
    "~7E",
    "?q=1#f",
    "\\",
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    "🧑‍🚀 é",
    "x" * 200,
    " ",
    "\t\n",
]


@pytest.fixture
def http(database_url: str, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a dashboard without Kafka; it checks every response against the OpenAPI document."""
    settings = load_settings(database_url=database_url, data_dir=tmp_path, http_port=0)
    checked: dict[str, Any] = {"response": [Contract().check]}
    with (
        ThreadedDashboard(settings) as dashboard,
        httpx.Client(base_url=dashboard.url, event_hooks=checked) as client,
    ):
        yield client


@pytest.fixture
def postil(database_url: str) -> Iterator[Postil]:
    postil = Postil(database_url)
    yield postil
    postil.close()


def ask(http: httpx.Client, path: str, **query: Any) -> Any:
    answer = http.get(f"/api{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_id_has_an_address(http: httpx.Client, postil: Postil) -> None:
    for identifier in HOSTILE:
        postil.create_run(identifier)
        postil.ask(identifier, "Go on?", interaction_id=identifier)
    for identifier in HOSTILE:
        at = f"/runs/{to_segment(identifier)}"
        assert ask(http, at)["id"] == identifier
        assert [one["run_seq"] for one in ask(http, f"{at}/events")["items"]] == [1, 2, 3]
        resolved = http.post(
            f"/api{at}/interactions/{to_segment(identifier)}/resolve",
            json={"who": "ada", "outcome": "accept"},
        )
        assert resolved.status_code == 200, resolved.text
    assert len(ask(http, "/runs", limit=100)["items"]) == len(HOSTILE)


def test_a_run_answers_everything_that_is_recorded_on_it(http: httpx.Client, postil: Postil) -> None:
    postil.create_run("r", name="refund", actor=agent("triage", version="2"))
    postil.start_stage("r", "Triage", stage_id="s")
    postil.annotate("r", Decision(outcome="refund", rationale="charged twice"), actor=agent("triage"))
    postil.record_tool_call("r", "lookup", arguments={"order": 1}, result=[1.50], duration_ms=12)
    run = ask(http, "/runs/r")
    assert (run["name"], run["status"], run["stages"], run["annotations"]) == ("refund", "running", 1, 2)
    assert run["actor"] == {"kind": "agent", "id": "triage", "version": "2"}
    assert ask(http, "/runs/r/stages")["items"][0]["name"] == "Triage"
    trail = ask(http, "/runs/r/annotations", prefix="decision.")["items"]
    assert {one["key"]: one["value"] for one in trail} == {
        "decision.outcome": "refund",
        "decision.rationale": "charged twice",
    }
    assert ask(http, "/runs/r/tool-calls")["items"][0]["arguments"] == {"order": 1}
    events = ask(http, "/runs/r/events", order="newest")
    assert events["head"] == run["head"] == events["items"][0]["run_seq"]
    envelope = http.get("/api/runs/r/events/1")
    assert envelope.headers["content-type"].startswith("application/cloudevents+json")
    assert envelope.json()["type"] == "run:created"


def test_stored_numbers_are_answered_as_they_are_stored(
    http: httpx.Client, postil: Postil, database_url: str
) -> None:
    postil.create_run("r")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """select postil.annotate('default', 'r', '[{"key": "x", "value": 123456789012345678901.50}]')"""
        )
    assert '"value":123456789012345678901.50' in http.get("/api/runs/r/annotations").text


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/runs", {"limit": 0}, "limit"),
        ("/runs", {"limit": 101}, "limit"),
        ("/runs", {"limit": "many"}, "limit"),
        ("/runs", {"status": "done"}, "status"),
        ("/runs", {"order": "random"}, "order"),
        ("/runs", {"cursor": "nonsense"}, "cursor"),
        ("/runs", {"cursor": "WzFd"}, "cursor"),
        ("/runs", {"q": "x" * 201}, "q"),
        ("/runs", {"q": "a\0b"}, "q"),
        ("/runs/~zz", {}, "run"),
        ("/runs/~00", {}, "run"),
        ("/runs/" + "x" * 201, {}, "run"),
        ("/runs/r/events", {"limit": 501}, "limit"),
        ("/runs/r/events/last", {}, "run_seq"),
        ("/runs/r/annotations", {"prefix": "a\0"}, "prefix"),
        ("/waiting", {"cursor": "%"}, "cursor"),
    ],
)
def test_malformed_questions_are_refused_by_the_name_of_the_field(
    http: httpx.Client, path: str, query: dict[str, Any], field: str
) -> None:
    refused = http.get(f"/api{path}", params=query)
    assert refused.status_code == 422, refused.text
    assert refused.json()["field"] == field
    assert refused.json()["advice"]


def test_what_is_not_there_is_said_to_be_not_there(http: httpx.Client) -> None:
    for path in ("/runs/none", "/runs/none/stages", "/runs/none/events/1"):
        missing = http.get(f"/api{path}")
        assert (missing.status_code, missing.json()["error"]) == (404, "RunNotFound")
    assert http.get("/api/nothing").status_code == 404


def resolve(http: httpx.Client, body: Any, interaction: str = "q") -> httpx.Response:
    return http.post(f"/api/runs/r/interactions/{interaction}/resolve", json=body)


def test_the_first_answer_stands_and_leaves_who_approved_it(http: httpx.Client, postil: Postil) -> None:
    postil.create_run("r")
    postil.ask("r", "Go on?", interaction_id="q")
    assert [one["run_id"] for one in ask(http, "/waiting")["items"]] == ["r"]
    accepted = resolve(http, {"who": "ada", "outcome": "accept", "note": "looks right"})
    assert accepted.status_code == 200
    second = resolve(http, {"who": "bob", "outcome": "decline"})
    assert (second.status_code, second.json()["error"]) == (409, "InteractionEnded")
    (one,) = ask(http, "/runs/r/interactions")["items"]
    assert one["answer"] == {"outcome": "accept", "note": "looks right"}
    assert one["actor"]["id"] == "ada"
    keys = {note["key"]: note["value"] for note in ask(http, "/runs/r/annotations")["items"]}
    assert keys["approval.approvers"] == ["ada"]
    assert ask(http, "/runs/r")["status"] == "running"
    assert ask(http, "/waiting")["items"] == []


def test_a_question_takes_any_json_as_its_answer(http: httpx.Client, postil: Postil) -> None:
    postil.create_run("r")
    for number, answer in enumerate([None, "text", 0, False, {"a": [1]}]):
        postil.ask("r", "What?", interaction_id=f"q{number}", kind="question")
        assert resolve(http, {"who": "ada", "answer": answer}, f"q{number}").status_code == 200
    assert [one["answer"] for one in ask(http, "/runs/r/interactions")["items"]] == [
        None,
        "text",
        0,
        False,
        {"a": [1]},
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"outcome": "accept"}, "who"),
        ({"who": "", "outcome": "accept"}, "who"),
        ({"who": "x" * 201, "outcome": "accept"}, "who"),
        ({"who": "a\0", "outcome": "accept"}, "who"),
        ({"who": "ada", "outcome": "maybe"}, "outcome"),
        ({"who": "ada"}, "body"),
        ({"who": "ada", "outcome": "accept", "answer": 1}, "body"),
        ({"who": "ada", "outcome": "accept", "extra": 1}, "extra"),
        ([], "body"),
    ],
)
def test_a_malformed_answer_is_refused_and_nothing_is_written(
    http: httpx.Client, postil: Postil, body: Any, field: str
) -> None:
    postil.create_run("r")
    postil.ask("r", "Go on?", interaction_id="q")
    refused = resolve(http, body)
    assert refused.status_code == 422, refused.text
    assert refused.json()["field"] == field
    assert ask(http, "/runs/r")["status"] == "waiting_for_interaction"


def test_an_answer_from_another_sites_page_is_refused(http: httpx.Client, postil: Postil) -> None:
    postil.create_run("r")
    postil.ask("r", "Go on?", interaction_id="q")
    forged = http.post(
        "/api/runs/r/interactions/q/resolve",
        json={"who": "mallory", "outcome": "accept"},
        headers={"origin": "http://evil.example"},
    )
    assert forged.status_code == 403
    assert ask(http, "/runs/r")["status"] == "waiting_for_interaction"


def test_the_pipeline_answers_for_each_part_by_itself(http: httpx.Client, postil: Postil) -> None:
    postil.create_run("r")
    state = ask(http, "/pipeline")
    assert (state["postgres"]["state"], state["postgres"]["events"]) == ("ok", 1)
    assert (state["relay"]["state"], state["relay"]["unpublished"]) == ("never", 1)
    assert state["kafka"]["state"] == "unknown"
    assert state["audit"]["state"] == "empty"


def test_without_postgres_it_says_so_and_recovers_by_itself(
    http: httpx.Client, postil: Postil, database_url: str, postgres_server: EmbeddedPostgres
) -> None:
    """The database refuses connections for a while, and takes them again."""
    postil.create_run("r")
    assert ask(http, "/runs/r")["id"] == "r"
    name = conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(f"alter database {name} allow_connections false")
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
        )
        away = http.get("/api/runs")
        assert away.status_code == 503, away.text
        assert away.json()["error"] == "Unavailable"
        assert "postil doctor" in away.json()["advice"]
        pipeline = ask(http, "/pipeline")
        assert pipeline["postgres"]["state"] == "down"
        connection.execute(f"alter database {name} allow_connections true")
    assert ask(http, "/runs/r")["id"] == "r"


def test_a_lost_connection_is_replaced_without_anybody_noticing(
    http: httpx.Client, postil: Postil, database_url: str
) -> None:
    postil.create_run("r")
    ask(http, "/runs/r")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'postil-dashboard'"
            " and datname = current_database()"
        )
    assert ask(http, "/runs/r")["id"] == "r"


def test_sigterm_ends_the_open_streams_and_then_the_program_with_0(
    start: Callable[..., subprocess.Popen[bytes]], database_url: str
) -> None:
    process = start("serve", "--port", "0", POSTIL_DATABASE_URL=database_url)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"ready\n"
    said = json.loads(process.stderr.readline())
    with httpx.stream("GET", f"{said['url']}/api/feed", timeout=30) as feed:
        process.send_signal(signal.SIGTERM)
        feed.read()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, b"", b"")
