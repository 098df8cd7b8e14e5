"""Each command once as a process, with bytes that are not text: it ends with an exit code, the cause and advice."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import pytest
import typer.main

from fixtures.refusals import KAFKA_REFUSES, NOT_TEXT, Refusal, refusal

pytestmark = pytest.mark.timeout(60)  # a command that hangs does not refuse its input

PROCESSES = [
    refusal("up", "--data is a file", "--data", "a_file", says=("a_file cannot be written", "--data DIR")),
    refusal("up --detach", "--data under a file", "--data", "a_file/x", says=("a_file/x/logs cannot be", "--data DIR")),
    refusal("down", "--data is not text", "--data", b"a_file/\xff", "x", says="unexpected extra argument"),
    refusal("status", "--data is not text", "--data", NOT_TEXT, says=(r"a\udcffb", "postil up")),
    refusal("doctor", "--data is not text", "--data", NOT_TEXT, POSTIL_DATABASE_URL="",
        says=(r"none runs in a\udcffb", "postil up")),
    refusal("migrate", "a URL that is not text", "--database-url", NOT_TEXT, says="POSTIL_DATABASE_URL: must be UTF-8"),
    refusal("import", "a name that is not text", b"not_text\xff.xes", code=1,
        says=("The file ends before </log>", "fetch it again")),
    refusal("demo", "a folder that is not text", NOT_TEXT, says=(r"a\xffb is not a folder", "postil demo DIR")),
    refusal("answer", "a run that is not text", NOT_TEXT, "q", "accept", says="run_id contains a lone surrogate"),
    refusal("verify", "Kafka refuses", "--wait", "0", POSTIL_AUDIT_DIR="garbage", **KAFKA_REFUSES,
        says=("Connection refused", "Check that the brokers run")),
    refusal("serve", "--port in use", "--port", attrgetter("busy"), says=("Address already in use", "--port")),
    refusal("serve", "--host of another machine", "--host", "192.0.2.1", says=("cannot listen on 192.0.2.1", "POSTIL_HTTP_PORT")),
    refusal("consume audit", "a file for the log", **KAFKA_REFUSES, POSTIL_AUDIT_DIR="a_file",
        says=("a_file cannot be read or written", "POSTIL_AUDIT_DIR")),
    refusal("audit verify", "a name that is not text", NOT_TEXT, says=(r"a\udcffb holds no audit log", "POSTIL_AUDIT_DIR")),
    refusal("relay", "a topic that is not text", POSTIL_KAFKA_TOPIC=NOT_TEXT, says="POSTIL_KAFKA_TOPIC: must be UTF-8"),
    refusal("relay status", "an argument that is not text", NOT_TEXT, says="unexpected extra argument"),
    refusal("relay parked", "a tenant that is not text", POSTIL_TENANT=NOT_TEXT, says="POSTIL_TENANT: must be UTF-8"),
    refusal("relay unpark", "a run that is not text", NOT_TEXT, says="run_id contains a lone surrogate"),
    refusal("bench write", "a database that refuses", POSTIL_DATABASE_URL=lambda w: f"postgresql://127.0.0.1:{w.closed}/d",
        says=("A scratch database cannot be created", "Connection refused", "Check the URL")),
    refusal("bench relay", "Kafka refuses", **KAFKA_REFUSES, says=("Connection refused", "POSTIL_KAFKA_*")),
    refusal("bench latency", "Kafka refuses", **KAFKA_REFUSES, says=("Connection refused", "POSTIL_KAFKA_*")),
]  # fmt: skip


@pytest.mark.parametrize("row", PROCESSES, ids=[row.case for row in PROCESSES])
def test_a_process_ends_and_states_the_fault(shell: Any, world: Any, row: Refusal) -> None:
    """The process ends, names the fault and what to do, and neither rows nor files change."""
    before = world.left()
    shell(*row.line, **row.environment).assert_refuses(row.code, *row.says)
    assert world.left() == before


def test_every_command_is_run_as_a_process(app: typer.Typer) -> None:
    """A new command needs its row above."""

    def names(command: Any, path: str) -> list[str]:
        children = getattr(command, "commands", {})
        below = [name for child in children for name in names(children[child], f"{path} {child}".strip())]
        runs_alone = not children or getattr(command, "invoke_without_command", False)
        return [*below, path] if runs_alone else below

    commands = {row.command.removesuffix(" --detach") for row in PROCESSES}
    assert sorted(commands) == sorted(names(typer.main.get_command(app), ""))
