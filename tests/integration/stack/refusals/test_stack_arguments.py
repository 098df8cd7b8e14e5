"""Bad input to `up`, `down`, `status`, `doctor` and `demo`: the right exit code, the cause, advice, and no trace."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import pytest

from fixtures.refusals import KAFKA_UNUSABLE, LONG, NOT_TEXT, PASSWORD, Refusal, bad_numbers, refusal

pytestmark = pytest.mark.timeout(60)  # a command that hangs does not refuse its input

STACK = [
    refusal("up", "--data is a file", "--data", "a_file", says=("a_file cannot be written", "--data DIR")),
    refusal("up", "--data under a file", "--data", "a_file/x", says=("a_file/x cannot be written", "--data DIR")),
    refusal("up", "--data in a circle", "--data", "circle", says=("circle cannot be written", "--data DIR")),
    refusal("up", "--data of 3,000 characters", "--data", LONG, says="POSTIL_DATA_DIR: must be a path of less"),
    refusal("up", "--data is empty", "--data", "", says=("'--data'", "It is empty: name a directory")),
    refusal("up", "--port x", "--port", "x", says=("'--port'", "valid integer")),
    refusal("up", "--port -1", "--port", "-1", says=("'--port'", "greater than or equal to 0")),
    refusal("up", "--port 99999", "--port", "99999", says=("'--port'", "less than or equal to 65535")),
    refusal("up", "--port not text", "--port", NOT_TEXT, says="'--port'"),
    refusal("up", "--kafka x", "--kafka", "x", says=("--kafka", "choose embedded or memory")),
    refusal("up", "--demo is not there", "--demo", "nosuch", says=("'--demo'", "does not exist")),
    refusal("up", "--demo is a file", "--demo", "a_file", says=("'--demo'", "is a file")),
    refusal("up", "--demo of 3,000 characters", "--demo", LONG, says=("'--demo'", "does not exist")),
    refusal("up", "a report to no file", POSTIL_REPORT_FD="x", says=("POSTIL_REPORT_FD is 'x'", "Unset it")),
    refusal("up", "a report to a closed file", POSTIL_REPORT_FD="9999", says=("POSTIL_REPORT_FD is '9999'", "Unset it")),
    refusal("up", "an argument", "x", says="unexpected extra argument(s) (x)"),
    *(
        refusal(name, f"--data {what}", "--data", place, says=says)
        for name in ("down", "status", "doctor")
        for what, place, says in (
            ("empty", "", ("'--data'", "It is empty")),
            ("3,000 characters", LONG, ("POSTIL_DATA_DIR: must be a path",)),
        )
    ),
    refusal("down", "--data is a file", "--data", "a_file", says=("a_file cannot be written", "--data DIR")),
    refusal("status", "--data is a file", "--data", "a_file", says=("No stack runs in", "postil up")),
    refusal("status", "--data in a circle", "--data", "circle", says=("No stack runs in", "postil up")),
    refusal("status", "an unknown option", "--nosuch", says="No such option: --nosuch"),
    refusal("doctor", "--data is a file", "--data", "a_file", code=1, says=("a_file cannot be written", "--data DIR")),
    refusal("doctor", "--data in a circle", "--data", "circle", POSTIL_DATABASE_URL="", says="none runs in circle"),
    refusal("doctor", "a host of another machine", code=1, POSTIL_HTTP_HOST="192.0.2.1",
        says=("cannot listen on 192.0.2.1 port 8400", "POSTIL_HTTP_HOST")),
    refusal("doctor", "a port in use", code=1, POSTIL_HTTP_PORT=attrgetter("busy"),
        says=("Address already in use", "--port N")),
    refusal("doctor", "a URL that cannot be used", code=1, POSTIL_DATABASE_URL=f"postgresql://u:{PASSWORD}@h:x/d",
        says=("The database URL has a port", "Write it as")),
    refusal("doctor", "a database that refuses", code=1, POSTIL_DATABASE_URL=lambda w: f"postgresql://u:{PASSWORD}@127.0.0.1:{w.closed}/d",
        says=("cannot be reached", "Connection refused", "correct POSTIL_DATABASE_URL")),
    refusal("doctor", "no schema", code=1, POSTIL_DATABASE_URL=attrgetter("bare_url"),
        says=("is not installed", "postil migrate")),
    refusal("doctor", "an unknown SASL mechanism", code=1, says="Unsupported SASL mechanism: x", **KAFKA_UNUSABLE,
        POSTIL_KAFKA_SASL_MECHANISM="x"),
    refusal("upp", "no such command", says="No such command 'upp'"),
]  # fmt: skip

DEMO = [
    refusal("demo", "a folder that is not there", "nosuch", says=("nosuch is not a folder", "postil demo DIR")),
    refusal("demo", "a file", "a_file", says=("a_file is not a folder", "postil demo DIR")),
    refusal("demo", "a folder of 3,000 characters", LONG, says=("cannot be read: File name too long", "postil demo DIR")),
    refusal("demo", "a folder that is not text", NOT_TEXT, says=(r"a\xffb is not a folder", "postil demo DIR")),
    refusal("demo", "a folder in a circle", "circle", says=("circle", "postil demo DIR")),
    refusal("demo", "the home of an unknown user", "~unknown-user/x", says=("cannot be read", "postil demo DIR")),
    refusal("demo", "an unknown tenant", "folder", "--tenant", "absent", says=("there is no tenant 'absent'", "create_tenant")),
    refusal("demo", "--tenant not text", "folder", "--tenant", NOT_TEXT, says="POSTIL_TENANT: must be UTF-8"),
    refusal("demo", "--limit 0", "folder", "--limit", "0", says=("'--limit'", "greater than or equal to 1")),
    refusal("demo", "--limit 10001", "folder", "--limit", "10001", says=("'--limit'", "less than or equal to 10000")),
    refusal("demo", "--limit of 5,000 digits", "folder", "--limit", "9" * 5000, says="'--limit'"),
    *bad_numbers("demo", "--wait", "folder"),
]  # fmt: skip

ROWS = [*STACK, *DEMO]


@pytest.mark.parametrize("row", ROWS, ids=[row.case for row in ROWS])
def test_the_stack_refuses_a_bad_argument(command: Any, world: Any, row: Refusal) -> None:
    """The answer names the fault and what to do, and neither rows nor files change."""
    before = world.left()
    command(*row.line, **row.environment).assert_refuses(row.code, *row.says)
    assert world.left() == before
