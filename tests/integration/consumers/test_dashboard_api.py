"""The API over real HTTP and a real database; every response is compared with the OpenAPI document."""

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
    hooks: dict[str, Any] = {"response": [Contract().check]}
    with (
        ThreadedDashboard(settings) as dashboard,
        httpx.Client(base_url=dashboard.url, event_hooks=hooks) as client,
    ):
        yield client


@pytest.fixture
def postil(database_url: str) -> Iterator[Postil]:
    """A client of the same database."""
    postil = Postil(database_url)
    yield postil
    postil.close()


def fetch(http: httpx.Client, path: str, **query: Any) -> Any:
    """Return the JSON of a route that succeeds."""
    response = http.get(f"/api{path}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


def test_every_id_has_an_address(http: httpx.Client, postil: Postil) -> None:
    """Runs and interactions with hostile ids can be read, listed and resolved."""
    for identifier in HOSTILE:
        postil.create_run(identifier)
        postil.ask(identifier, "Continue?", interaction_id=identifier)
    for identifier in HOSTILE:
        path = f"/runs/{to_segment(identifier)}"
        assert fetch(http, path)["id"] == identifier
        assert [event["run_seq"] for event in fetch(http, f"{path}/events")["items"]] == [1, 2, 3]
        response = http.post(
            f"/api{path}/interactions/{to_segment(identifier)}/resolve",
            json={"who": "ada", "outcome": "accept"},
        )
        assert response.status_code == 200, response.text
    assert len(fetch(http, "/runs", limit=100)["items"]) == len(HOSTILE)


def test_run_shows_everything_recorded_on_it(http: httpx.Client, postil: Postil) -> None:
    """A run's routes return its stages, annotations, tool calls and events with the values that were recorded."""
    postil.create_run("r", name="refund", actor=agent("triage", version="2"))
    postil.start_stage("r", "Triage", stage_id="s")
    postil.annotate("r", Decision(outcome="refund", rationale="charged twice"), actor=agent("triage"))
    postil.record_tool_call("r", "lookup", arguments={"order": 1}, result=[1.50], duration_ms=12)
    run = fetch(http, "/runs/r")
    assert (run["name"], run["status"], run["stages"], run["annotations"]) == ("refund", "running", 1, 2)
    assert run["actor"] == {"kind": "agent", "id": "triage", "version": "2"}
    assert fetch(http, "/runs/r/stages")["items"][0]["name"] == "Triage"
    decision = fetch(http, "/runs/r/annotations", prefix="decision.")["items"]
    assert {item["key"]: item["value"] for item in decision} == {
        "decision.outcome": "refund",
        "decision.rationale": "charged twice",
    }
    assert fetch(http, "/runs/r/tool-calls")["items"][0]["arguments"] == {"order": 1}
    events = fetch(http, "/runs/r/events", order="newest")
    assert events["head"] == run["head"] == events["items"][0]["run_seq"]
    envelope = http.get("/api/runs/r/events/1")
    assert envelope.headers["content-type"].startswith("application/cloudevents+json")
    assert envelope.json()["type"] == "run:created"


def test_numbers_are_not_rounded(http: httpx.Client, postil: Postil, database_url: str) -> None:
    """A number is returned with the digits that are stored, beyond the precision of a float."""
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
def test_malformed_query_names_the_field(
    http: httpx.Client, path: str, query: dict[str, Any], field: str
) -> None:
    """A malformed parameter is refused with 422, the name of the field and advice."""
    response = http.get(f"/api{path}", params=query)
    assert response.status_code == 422, response.text
    assert response.json()["field"] == field
    assert response.json()["advice"]


def test_missing_run_is_not_found(http: httpx.Client) -> None:
    """A run that does not exist, each of its parts, and an unknown route return 404."""
    for path in ("/runs/none", "/runs/none/stages", "/runs/none/events/1"):
        response = http.get(f"/api{path}")
        assert (response.status_code, response.json()["error"]) == (404, "RunNotFound")
    assert http.get("/api/nothing").status_code == 404


def resolve(http: httpx.Client, body: Any, interaction: str = "q") -> httpx.Response:
    """Answer an interaction of the run `r` and return the response."""
    return http.post(f"/api/runs/r/interactions/{interaction}/resolve", json=body)


def test_first_answer_stands(http: httpx.Client, postil: Postil) -> None:
    """The first answer is stored with its user as approver; a second one gets 409 and changes nothing."""
    postil.create_run("r")
    postil.ask("r", "Continue?", interaction_id="q")
    assert [item["run_id"] for item in fetch(http, "/waiting")["items"]] == ["r"]
    first = resolve(http, {"who": "ada", "outcome": "accept", "note": "looks right"})
    assert first.status_code == 200
    second = resolve(http, {"who": "bob", "outcome": "decline"})
    assert (second.status_code, second.json()["error"]) == (409, "InteractionEnded")
    (interaction,) = fetch(http, "/runs/r/interactions")["items"]
    assert interaction["answer"] == {"outcome": "accept", "note": "looks right"}
    assert interaction["actor"]["id"] == "ada"
    values = {item["key"]: item["value"] for item in fetch(http, "/runs/r/annotations")["items"]}
    assert values["approval.approvers"] == ["ada"]
    assert fetch(http, "/runs/r")["status"] == "running"
    assert fetch(http, "/waiting")["items"] == []


def test_any_json_can_be_the_answer(http: httpx.Client, postil: Postil) -> None:
    """The answer to an interaction of another kind than approval is any JSON value, null included."""
    postil.create_run("r")
    for number, answer in enumerate([None, "text", 0, False, {"a": [1]}]):
        postil.ask("r", "What?", interaction_id=f"q{number}", kind="question")
        assert resolve(http, {"who": "ada", "answer": answer}, f"q{number}").status_code == 200
    assert [item["answer"] for item in fetch(http, "/runs/r/interactions")["items"]] == [
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
def test_malformed_answer_writes_nothing(http: httpx.Client, postil: Postil, body: Any, field: str) -> None:
    """A malformed answer is refused with 422 and the field's name, and the run still waits."""
    postil.create_run("r")
    postil.ask("r", "Continue?", interaction_id="q")
    response = resolve(http, body)
    assert response.status_code == 422, response.text
    assert response.json()["field"] == field
    assert fetch(http, "/runs/r")["status"] == "waiting_for_interaction"


def test_answer_from_another_site_is_refused(http: httpx.Client, postil: Postil) -> None:
    """An answer with the origin of another site gets 403, and the run still waits."""
    postil.create_run("r")
    postil.ask("r", "Continue?", interaction_id="q")
    response = http.post(
        "/api/runs/r/interactions/q/resolve",
        json={"who": "mallory", "outcome": "accept"},
        headers={"origin": "http://evil.example"},
    )
    assert response.status_code == 403
    assert fetch(http, "/runs/r")["status"] == "waiting_for_interaction"


def test_pipeline_reports_each_part(http: httpx.Client, postil: Postil) -> None:
    """The pipeline's state shows each part separately: here Postgres works, and nothing else runs."""
    postil.create_run("r")
    state = fetch(http, "/pipeline")
    assert (state["postgres"]["state"], state["postgres"]["events"]) == ("ok", 1)
    assert (state["relay"]["state"], state["relay"]["unpublished"]) == ("never", 1)
    assert state["kafka"]["state"] == "unknown"
    assert state["audit"]["state"] == "empty"


def test_requests_succeed_again_when_postgres_returns(
    http: httpx.Client, postil: Postil, database_url: str, postgres_server: EmbeddedPostgres
) -> None:
    """While the database refuses connections, requests get 503 with advice; afterwards they succeed again."""
    postil.create_run("r")
    assert fetch(http, "/runs/r")["id"] == "r"
    name = conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(f"alter database {name} allow_connections false")
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
        )
        response = http.get("/api/runs")
        assert response.status_code == 503, response.text
        assert response.json()["error"] == "Unavailable"
        assert "postil doctor" in response.json()["advice"]
        pipeline = fetch(http, "/pipeline")
        assert pipeline["postgres"]["state"] == "down"
        connection.execute(f"alter database {name} allow_connections true")
    assert fetch(http, "/runs/r")["id"] == "r"


def test_lost_connection_is_replaced(http: httpx.Client, postil: Postil, database_url: str) -> None:
    """A read whose idle connection was ended succeeds on a new connection."""
    postil.create_run("r")
    fetch(http, "/runs/r")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'postil-dashboard'"
            " and datname = current_database()"
        )
    assert fetch(http, "/runs/r")["id"] == "r"


def test_sigterm_ends_streams_and_exits_0(
    start: Callable[..., subprocess.Popen[bytes]], database_url: str
) -> None:
    """SIGTERM ends an open feed, and then the process with exit code 0 and without further output."""
    process = start("serve", "--port", "0", POSTIL_DATABASE_URL=database_url)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"ready\n"
    log_line = json.loads(process.stderr.readline())
    with httpx.stream("GET", f"{log_line['url']}/api/feed", timeout=30) as feed:
        process.send_signal(signal.SIGTERM)
        feed.read()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, b"", b"")
