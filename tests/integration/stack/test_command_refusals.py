"""Bad input to every command: the right exit code, what is wrong and what to do, nothing half written.

Most rows run in this process, which is quick; each command has one that runs as the shell runs it,
with bytes that are no text and as a process that must end.
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import typer.main

from postil.runtime import logs as service
from postil_stack.servers.kafka import EmbeddedKafka

pytestmark = pytest.mark.timeout(60)  # a refusal that hangs is none

Command = Callable[..., Any]  # of conftest: runs a command line, answers what it said
Argument = Any  # a text, bytes, or what it is in the world of conftest
LONG = "x" * 3000
NO_TEXT = b"a\xffb"  # a byte that is no UTF-8: Python reads it as a lone surrogate
PASSWORD = "hush"  # which no answer may show


def trajectory(**step: Any) -> bytes:
    return json.dumps({"trajectory": [{"action": "ls", **step}]}).encode()


def case(more: bytes) -> bytes:
    return b'<log><trace><string key="concept:name" value="c"/>' + more + b"</trace></log>"


FILES = {
    "a_file": b"x",
    os.fsdecode(b"no_text\xff.xes"): b"<log",
    "ok.xes": case(b""),
    "folder/a.txt": b"hello",
    "empty.xes": b"",
    "empty.traj": b"",
    "unknown.txt": b"x",
    "cut.xes.gz": gzip.compress(case(b""))[:20],
    "nul.traj": trajectory(thought="a\0b"),
    "nul_key.traj": trajectory(**{"a\0b": 1}),
    "surrogate.traj": trajectory(thought="a\ud800b"),
    "nan.traj": trajectory(execution_time=float("nan")),
    "infinity.traj": trajectory(x=float("-inf")),
    "beyond.traj": b'{"trajectory": [{"action": "ls", "x": 1e999}]}',
    "digits.traj": b'{"trajectory": [], "x": %s}' % (b"9" * 5000),
    "deep.traj": b'{"trajectory": %s1%s}' % (b"[" * 100_000, b"]" * 100_000),
    "sixty_five.traj": b'{"trajectory": [], "x": %s%s}' % (b"[" * 70, b"]" * 70),
    "latin.traj": '{"trajectory": [{"action": "é"}]}'.encode("latin-1"),
    "utf16.traj": '{"trajectory": []}'.encode("utf-16"),
    "nul.xes": case(b'<string key="a" value="\0"/>'),
    "reference.xes": case(b'<string key="a" value="&#xD800;"/>'),
    "encoding.xes": b'<?xml version="1.0" encoding="klingon"?>' + case(b""),
    "latin.xes": case('<string key="a" value="é"/>'.encode("latin-1")),
    "deep.xes": b"<log>" + b"<trace>" * 10_000,
    "integer.xes": case(b'<int key="n" value="%s"/>' % (b"9" * 5000)),
    "garbage/postil.events-0/manifest.ndjson": b"\0\xff\n" + b"[" * 100_000 + b"\n",
    "headless/postil.events-0/00000000000000000000.ndjson": b"{}\n",
}
DIRECTORIES = ["directory.xes", "empty", "unreadable/postil.events-0/manifest.ndjson"]


@pytest.fixture(autouse=True, scope="module")
def files(world: Any) -> None:
    directory: Path = world.directory
    for name, content in FILES.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    for name in DIRECTORIES:
        (directory / name).mkdir(parents=True)
    for name in ("circle", "circle.xes"):
        (directory / name).symlink_to(directory / name)
    os.mkfifo(directory / "pipe.xes")


@dataclass(frozen=True)
class Bad:
    """One bad input: a command line, and what its answer must say."""

    what: str
    line: tuple[Argument, ...]
    says: tuple[str, ...]
    code: int
    given: dict[str, Argument]


def bad(what: str, *rest: Argument, says: str | tuple[str, ...], code: int = 2, **given: Argument) -> Bad:
    """`what` is the command, a colon, and what is bad; `rest` its further arguments, `given` the variables it finds."""
    line = (*what.partition(":")[0].split(), *rest)
    return Bad(what, line, (says,) if isinstance(says, str) else says, code, given)


OPEN, ANSWERED, CANCELLED, FOREIGN, OTHER_TENANT = map(
    attrgetter, ("open", "answered", "cancelled", "foreign", "tenant")
)
NO_NUMBER = {
    "nan": "Input should be",
    "inf": "Input should be less than",
    "-1": "Input should be greater",
    "x": "valid number",
}
KAFKA_REFUSES = {"POSTIL_KAFKA_BOOTSTRAP_SERVERS": lambda w: f"127.0.0.1:{w.closed}"}
KAFKA_ODD = {"POSTIL_KAFKA_BOOTSTRAP_SERVERS": "h:1", "POSTIL_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}


def no_numbers(command: str, option: str, *rest: str) -> list[Bad]:
    return [
        bad(f"{command}: {option} {value}", *rest, option, value, says=(f"'{option}'", says))
        for value, says in NO_NUMBER.items()
    ]


STACK = [
    bad("up: --data is a file", "--data", "a_file", says=("a_file cannot be written", "--data DIR")),
    bad("up: --data under a file", "--data", "a_file/x", says=("a_file/x cannot be written", "--data DIR")),
    bad("up: --data in a circle", "--data", "circle", says=("circle cannot be written", "--data DIR")),
    bad("up: --data of 3,000 characters", "--data", LONG, says="POSTIL_DATA_DIR: must be a path of less"),
    bad("up: --data is empty", "--data", "", says=("'--data'", "It is empty: name a directory")),
    bad("up: --port x", "--port", "x", says=("'--port'", "valid integer")),
    bad("up: --port -1", "--port", "-1", says=("'--port'", "greater than or equal to 0")),
    bad("up: --port 99999", "--port", "99999", says=("'--port'", "less than or equal to 65535")),
    bad("up: --port no text", "--port", NO_TEXT, says="'--port'"),
    bad("up: --kafka x", "--kafka", "x", says=("--kafka", "choose embedded or memory")),
    bad("up: --demo is not there", "--demo", "nosuch", says=("'--demo'", "does not exist")),
    bad("up: --demo is a file", "--demo", "a_file", says=("'--demo'", "is a file")),
    bad("up: --demo of 3,000 characters", "--demo", LONG, says=("'--demo'", "does not exist")),
    bad("up: nobody to report to", POSTIL_REPORT_FD="x", says=("POSTIL_REPORT_FD is 'x'", "Unset it")),
    bad("up: somebody who is gone to report to", POSTIL_REPORT_FD="9999", says=("POSTIL_REPORT_FD is '9999'", "Unset it")),
    bad("up: an argument", "x", says="unexpected extra argument(s) (x)"),
    *(
        bad(f"{name}: --data {what}", "--data", place, says=says)
        for name in ("down", "status", "doctor")
        for what, place, says in (
            ("empty", "", ("'--data'", "It is empty")),
            ("3,000 characters", LONG, ("POSTIL_DATA_DIR: must be a path",)),
        )
    ),
    bad("down: --data is a file", "--data", "a_file", says=("a_file cannot be written", "--data DIR")),
    bad("status: --data is a file", "--data", "a_file", says=("No stack runs in", "postil up")),
    bad("status: --data in a circle", "--data", "circle", says=("No stack runs in", "postil up")),
    bad("status: an option it has not", "--nosuch", says="No such option: --nosuch"),
    bad("doctor: --data is a file", "--data", "a_file", code=1, says=("a_file cannot be written", "--data DIR")),
    bad("doctor: --data in a circle", "--data", "circle", POSTIL_DATABASE_URL="", says="none runs in circle"),
    bad("doctor: a host that is not here", code=1, POSTIL_HTTP_HOST="192.0.2.1",
        says=("cannot listen on 192.0.2.1 port 8400", "POSTIL_HTTP_HOST")),
    bad("doctor: a port in use", code=1, POSTIL_HTTP_PORT=attrgetter("busy"),
        says=("Address already in use", "--port N")),
    bad("doctor: a URL that cannot be used", code=1, POSTIL_DATABASE_URL=f"postgresql://u:{PASSWORD}@h:x/d",
        says=("The database URL has a port", "Write it as")),
    bad("doctor: a database that refuses", code=1, POSTIL_DATABASE_URL=lambda w: f"postgresql://u:{PASSWORD}@127.0.0.1:{w.closed}/d",
        says=("cannot be reached", "Connection refused", "correct POSTIL_DATABASE_URL")),
    bad("doctor: no schema", code=1, POSTIL_DATABASE_URL=attrgetter("bare_url"), says=("is not installed", "postil migrate")),
    bad("doctor: a SASL mechanism nobody has", code=1, says="Unsupported SASL mechanism: x", **KAFKA_ODD,
        POSTIL_KAFKA_SASL_MECHANISM="x"),
    bad("upp: no such command", says="No such command 'upp'"),
]  # fmt: skip

IMPORT = [
    *(
        bad(f"import: {file}", file, says=(file, *says), code=code)
        for file, code, *says in (
            ("directory.xes", 2, "This is a directory", "Name the files in it"),
            ("nosuch.xes", 2, "There is no such file", "Check the path"),
            ("a_file/x.xes", 2, "Not a directory", "Check the path"),
            ("circle.xes", 2, "Too many levels of symbolic links", "Check the path"),
            ("pipe.xes", 2, "This is not a regular file", "Save its content"),
            ("unknown.txt", 2, "no known suffix", "Name it .xes"),
            ("a_file", 2, "no known suffix", "Name it .xes"),
            ("empty.xes", 1, "line 1, column 1: The file is empty", "Check the file"),
            ("empty.traj", 1, "line 1, column 1: The JSON is broken", "fetch it again"),
            ("cut.xes.gz", 1, "The gzip file ends too early", "Fetch it again"),
            ("nul.traj", 1, "trajectory[0].thought: It contains NUL", "Correct it"),
            ("nul_key.traj", 1, "trajectory[0] (a key): It contains NUL", "Correct it"),
            ("surrogate.traj", 1, "trajectory[0].thought: It contains a lone surrogate", "Correct it"),
            ("nan.traj", 1, "NaN is not JSON", "Correct it"),
            ("infinity.traj", 1, "-Infinity is not JSON", "Correct it"),
            ("beyond.traj", 1, "trajectory[0].x: It is inf", "Correct it"),
            ("digits.traj", 1, "It has an integer of thousands of digits", "Correct it"),
            ("deep.traj", 1, "The JSON is nested too deep", "64 levels"),
            ("sixty_five.traj", 1, "It is nested deeper than 64 levels", "Correct it"),
            ("latin.traj", 1, "The byte 0xe9 is not valid UTF-8", "convert the file"),
            ("utf16.traj", 1, "byte 0: The byte 0xff is not valid UTF-8", "convert the file"),
            ("nul.xes", 1, "The XML is broken", "Correct it"),
            ("reference.xes", 1, "invalid character number", "Correct it"),
            ("encoding.xes", 1, "The encoding cannot be read: unknown encoding: klingon", "Save the file as UTF-8"),
            ("latin.xes", 1, "The byte 0xe9 does not belong to the encoding", "Correct the first line"),
            ("deep.xes", 1, "Tags are nested more than 30 deep", "Check the file"),
            ("integer.xes", 1, "is not an integer", "the other cases are not touched"),
        )
    ),
    bad("import: a name of 3,000 characters", f"{LONG}.xes", says=("File name too long", "Check the path")),
    bad("import: no file", says="Missing argument 'FILE…'"),
    bad("import: --tenant nobody", "ok.xes", "--tenant", "nobody", says=("there is no tenant 'nobody'", "create_tenant")),
    bad("import: --tenant empty", "ok.xes", "--tenant", "", says="there is no tenant ''"),
    bad("import: --tenant of 3,000 characters", "ok.xes", "--tenant", LONG, says="there is no tenant 'xxx"),
    bad("import: --tenant no text", "ok.xes", "--tenant", NO_TEXT, says="POSTIL_TENANT: must be UTF-8"),
    bad("import: --name no text", "ok.xes", "--name", NO_TEXT, says="--name must have 1 to 100 printable"),
    bad("import: --name of 3,000 characters", "ok.xes", "--name", LONG, says="--name must have 1 to 100 printable"),
    bad("import: --timezone empty", "ok.xes", "--timezone", "", says=("There is no time zone ''", "Europe/Rome")),
    bad("import: --timezone a path", "ok.xes", "--timezone", "../../etc/passwd", says="There is no time zone"),
    bad("import: --timezone of 3,000 characters", "ok.xes", "--timezone", LONG, says="There is no time zone"),
]  # fmt: skip

ANSWER = [
    bad("answer: an unknown run", "nosuch", "q", "accept", says=("tenant default has no run 'nosuch'", "Check the id")),
    bad("answer: a run of another tenant", FOREIGN, "q", "accept", says="tenant default has no run 'foreign"),
    bad("answer: another tenant's run", OPEN, "q", "accept", "--tenant", OTHER_TENANT, says="has no run 'open"),
    bad("answer: an unknown question", OPEN, "nosuch", "accept", says=("has no interaction 'nosuch'", "Check the")),
    bad("answer: a question answered", ANSWERED, "q", "decline", says=("is resolved already (by ada)", "Read the answer")),
    bad("answer: a cancelled run's", CANCELLED, "q", "accept", says=("is cancelled already", "Read the answer")),
    bad("answer: an empty run", "", "q", "accept", says="tenant default has no run ''"),
    bad("answer: a run of 3,000 characters", LONG, "q", "accept", says="tenant default has no run 'xxx"),
    bad("answer: a run that is no text", NO_TEXT, "q", "accept", says="run_id contains a lone surrogate"),
    bad("answer: an empty question", OPEN, "", "accept", says="has no interaction ''"),
    bad("answer: a question of 3,000 characters", OPEN, LONG, "accept", says="has no interaction 'xxx"),
    bad("answer: a question that is no text", OPEN, NO_TEXT, "accept", says="interaction_id contains a lone"),
    *(
        bad(f"answer: {what}", OPEN, "q", given, says=says)
        for what, given, says in (
            ("empty", "", 'the answer to an approval is {"outcome"'),
            ("no text", NO_TEXT, "answer contains a lone surrogate"),
            ("another word", "perhaps", 'the answer to an approval is {"outcome"'),
            ("NaN", "NaN", "answer is nan"),
            ("NaN inside", '{"outcome": NaN}', "answer.outcome is nan"),
            ("infinity", "Infinity", "answer is inf"),
            ("beyond a double", "1e999", "answer is inf"),
            ("400 digits", "9" * 400, "answer is a number beyond the range of a double"),
            ("5,000 digits", "9" * 5000, 'the answer to an approval is {"outcome"'),
            ("NUL", '"\\u0000"', "answer contains NUL"),
            ("NUL in a key", '{"\\u0000": 1}', "answer (a key) contains NUL"),
            ("a lone surrogate", '["\\ud800"]', "answer[0] contains a lone surrogate"),
            ("65 levels", "[" * 65 + "]" * 65, "answer is nested deeper than 64 levels"),
            ("50,000 levels", "[" * 50_000 + "]" * 50_000, "answer is nested deeper than 64 levels"),
            ("100,000 characters", f'"{"x" * 100_000}"', "the limit is 16384"),
        )
    ),
    bad("answer: --as empty", OPEN, "q", "accept", "--as", "", says="actor.id must have 1 to 200 characters"),
    bad("answer: --as of 3,000 characters", OPEN, "q", "accept", "--as", LONG, says="actor.id must have 1 to 200"),
    bad("answer: --as no text", OPEN, "q", "accept", "--as", NO_TEXT, says="actor.id contains a lone surrogate"),
    bad("answer: --note no text", OPEN, "q", "accept", "--note", NO_TEXT, says="answer.note contains a lone"),
    bad("answer: --note of 100,000 characters", OPEN, "q", "accept", "--note", "x" * 100_000, says="the limit is 16384"),
    bad("answer: --tenant nobody", OPEN, "q", "accept", "--tenant", "nobody", says="there is no tenant 'nobody'"),
    bad("answer: --tenant empty", OPEN, "q", "accept", "--tenant", "", says="there is no tenant ''"),
    bad("answer: --tenant of 3,000 characters", OPEN, "q", "accept", "--tenant", LONG, says="there is no tenant 'xxx"),
    bad("answer: nothing", OPEN, "q", says="Missing argument 'accept|decline'"),
]  # fmt: skip

DEMO = [
    bad("demo: a folder that is not there", "nosuch", says=("nosuch is not a folder", "postil demo DIR")),
    bad("demo: a file", "a_file", says=("a_file is not a folder", "postil demo DIR")),
    bad("demo: a folder of 3,000 characters", LONG, says=("cannot be read: File name too long", "postil demo DIR")),
    bad("demo: a folder that is no text", NO_TEXT, says=(r"a\xffb is not a folder", "postil demo DIR")),
    bad("demo: a folder in a circle", "circle", says=("circle", "postil demo DIR")),
    bad("demo: nobody's home", "~nobody-of-that-name/x", says=("cannot be read", "postil demo DIR")),
    bad("demo: --tenant nobody", "folder", "--tenant", "nobody", says=("there is no tenant 'nobody'", "create_tenant")),
    bad("demo: --tenant no text", "folder", "--tenant", NO_TEXT, says="POSTIL_TENANT: must be UTF-8"),
    bad("demo: --limit 0", "folder", "--limit", "0", says=("'--limit'", "greater than or equal to 1")),
    bad("demo: --limit 10001", "folder", "--limit", "10001", says=("'--limit'", "less than or equal to 10000")),
    bad("demo: --limit of 5,000 digits", "folder", "--limit", "9" * 5000, says="'--limit'"),
    *no_numbers("demo", "--wait", "folder"),
]  # fmt: skip

AUDIT = [
    *(
        bad(f"{name}: {place}", says=says, POSTIL_AUDIT_DIR=place, **KAFKA_REFUSES)
        for name in ("audit verify", "verify")
        for place, *says in (
            ("nosuch", "nosuch holds no audit log", "postil consume audit"),
            ("empty", "empty holds no audit log", "postil consume audit"),
            ("folder", "folder holds no audit log", "postil consume audit"),
            ("a_file", "a_file cannot be read: Not a directory", "Name the audit directory"),
            ("a_file/x", "a_file/x cannot be read: Not a directory", "Name the audit directory"),
            ("circle", "Too many levels of symbolic links", "Name the audit directory"),
            (LONG, "POSTIL_AUDIT_DIR: must be a path of less than", "Correct"),
        )
    ),
    bad("audit verify: a directory for a manifest", "unreadable", says="manifest.ndjson cannot be read: Is a directory"),
    bad("audit verify: garbage", "garbage", "--wait", "0", code=1,
        says=("manifest.ndjson entry 0 byte 0 the entry was altered", "entry 1 byte 3", "TAMPERED")),
    bad("audit verify: one log of it", "garbage/postil.events-0", "--wait", "0", "--json", code=1, says='"sound": false'),
    bad("audit verify: no manifest", "headless", code=1, says=("the manifest is missing", "TAMPERED")),
    bad("audit verify: a name of 3,000 characters", LONG, says=("File name too long", "Name the audit directory")),
    bad("audit verify: a name that is no text", NO_TEXT, says="holds no audit log"),
    bad("audit: no such command", "nosuch", says="No such command 'nosuch'"),
    *no_numbers("audit verify", "--wait", "garbage"),
    *no_numbers("verify", "--wait"),
    bad("verify: no Kafka", says="POSTIL_KAFKA_BOOTSTRAP_SERVERS is not set", POSTIL_AUDIT_DIR="garbage"),
    bad("verify: a SASL mechanism nobody has", says="Unsupported SASL mechanism: x", **KAFKA_ODD,
        POSTIL_AUDIT_DIR="garbage", POSTIL_KAFKA_SASL_MECHANISM="x"),
]  # fmt: skip

PROGRAMS = [
    bad("serve: --port x", "--port", "x", says=("'--port'", "valid integer")),
    bad("serve: --port 99999", "--port", "99999", says=("'--port'", "less than or equal to 65535")),
    *(bad(f"serve: --allow-host {host!r}", "--allow-host", host, says=("'--allow-host'", "is not a host name"))
      for host in ("", "a b", "h:8400", "http://h", NO_TEXT)),
    bad("serve: --host of 3,000 characters", "--host", LONG, says="POSTIL_HTTP_HOST: must be a host name"),
    bad("serve: --host empty", "--host", "", says="POSTIL_HTTP_HOST: must be a host name"),
    bad("serve: --host no text", "--host", NO_TEXT, says="POSTIL_HTTP_HOST: must be UTF-8"),
    bad("serve: a variable that is no yes or no", POSTIL_HTTP_ANY_LOCAL_USER="maybe", says="'POSTIL_HTTP_ANY_LOCAL_USER'"),
    *(
        row
        for name in ("relay", "consume audit")
        for row in (
            bad(f"{name}: no Kafka", says="POSTIL_KAFKA_BOOTSTRAP_SERVERS is not set"),
            bad(f"{name}: a SASL mechanism nobody has", says=("Unsupported SASL mechanism: x", "POSTIL_KAFKA_*"),
                **KAFKA_ODD, POSTIL_KAFKA_SASL_MECHANISM="x"),
            bad(f"{name}: no certificates", says="POSTIL_KAFKA_SSL_CA names nosuch, which cannot be read",
                **KAFKA_ODD, POSTIL_KAFKA_SSL_CA="nosuch"),
            bad(f"{name}: certificates that are none", says=("ssl.ca.location failed", "POSTIL_KAFKA_*"),
                **KAFKA_ODD, POSTIL_KAFKA_SSL_CA="a_file", POSTIL_KAFKA_USERNAME="u", POSTIL_KAFKA_PASSWORD=PASSWORD,
                POSTIL_KAFKA_SASL_MECHANISM="PLAIN"),
        )
    ),
    bad("consume audit: a file for the log", says=("a_file cannot be written", "POSTIL_AUDIT_DIR"),
        **KAFKA_REFUSES, POSTIL_AUDIT_DIR="a_file"),
    bad("consume audit: a log under a file", says=("a_file/x cannot be written", "POSTIL_AUDIT_DIR"),
        **KAFKA_REFUSES, POSTIL_AUDIT_DIR="a_file/x"),
    bad("consume: no such consumer", "nosuch", says="No such command 'nosuch'"),
    bad("relay: no such command", "nosuch", says="No such command 'nosuch'"),
    bad("relay status: an argument", "x", says="unexpected extra argument(s) (x)"),
    bad("relay parked: an option it has not", "--nosuch", says="No such option: --nosuch"),
    bad("relay unpark: an unknown run", "nosuch", says=("Run nosuch of tenant default is not parked", "postil relay parked")),
    bad("relay unpark: a run that is not parked", OPEN, says="is not parked"),
    bad("relay unpark: an empty run", "", says="is not parked"),
    bad("relay unpark: a run of 3,000 characters", LONG, says="is not parked"),
    bad("relay unpark: a run that is no text", NO_TEXT, says="run_id contains a lone surrogate"),
    bad("relay unpark: --tenant empty", OPEN, "--tenant", "", says="of tenant is not parked"),
    bad("relay unpark: --tenant nobody", OPEN, "--tenant", "nobody", says="of tenant nobody is not parked"),
    bad("relay unpark: --tenant no text", OPEN, "--tenant", NO_TEXT, says="POSTIL_TENANT: must be UTF-8"),
    *no_numbers("bench write", "--seconds"),
    *no_numbers("bench latency", "--seconds"),
    *no_numbers("bench latency", "--rate"),
    bad("bench write: --rounds 0", "--rounds", "0", says=("'--rounds'", "greater than or equal to 1")),
    bad("bench write: --rounds without end", "--rounds", "9" * 30, says=("'--rounds'", "less than or equal to 1000")),
    bad("bench relay: --rounds 0", "--rounds", "0", says=("'--rounds'", "greater than or equal to 1")),
    bad("bench relay: --events 999", "--events", "999", says=("'--events'", "greater than or equal to 1000")),
    bad("bench relay: --events without end", "--events", "9" * 30, says=("'--events'", "less than or equal to 10000000")),
    bad("bench latency: a SASL mechanism nobody has", says="Unsupported SASL mechanism: x", **KAFKA_ODD,
        POSTIL_KAFKA_SASL_MECHANISM="x"),
    bad("bench: no such measurement", "nosuch", says="No such command 'nosuch'"),
]  # fmt: skip

ROWS = [*STACK, *IMPORT, *ANSWER, *DEMO, *AUDIT, *PROGRAMS]


@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_a_bad_argument_is_answered_and_changes_nothing(command: Command, world: Any, row: Bad) -> None:
    before = world.left()
    command(*row.line, **row.given).assert_refuses(row.code, *row.says)
    assert before == world.left()


# -- each command once as the shell runs it --------------------------------------------------------------------------

PROCESSES = [
    bad("up: --data is a file", "--data", "a_file", says=("a_file cannot be written", "--data DIR")),
    bad("up --detach: --data under a file", "--data", "a_file/x", says=("a_file/x/logs cannot be", "--data DIR")),
    bad("down: --data is no text", "--data", b"a_file/\xff", "x", says="unexpected extra argument"),
    bad("status: --data is no text", "--data", NO_TEXT, says=(r"a\udcffb", "postil up")),
    bad("doctor: --data is no text", "--data", NO_TEXT, POSTIL_DATABASE_URL="", says=(r"none runs in a\udcffb", "postil up")),
    bad("migrate: a URL that is no text", "--database-url", NO_TEXT, says="POSTIL_DATABASE_URL: must be UTF-8"),
    bad("import: a name that is no text", b"no_text\xff.xes", code=1, says=("The file ends before </log>", "fetch it again")),
    bad("demo: a folder that is no text", NO_TEXT, says=(r"a\xffb is not a folder", "postil demo DIR")),
    bad("answer: a run that is no text", NO_TEXT, "q", "accept", says="run_id contains a lone surrogate"),
    bad("verify: Kafka refuses", "--wait", "0", POSTIL_AUDIT_DIR="garbage", **KAFKA_REFUSES,
        says=("Connection refused", "Check that the brokers run")),
    bad("serve: --port in use", "--port", attrgetter("busy"), says=("Address already in use", "--port")),
    bad("serve: --host not here", "--host", "192.0.2.1", says=("cannot listen on 192.0.2.1", "POSTIL_HTTP_PORT")),
    bad("consume audit: a file for the log", **KAFKA_REFUSES, POSTIL_AUDIT_DIR="a_file",
        says=("a_file cannot be written", "POSTIL_AUDIT_DIR")),
    bad("audit verify: a name that is no text", NO_TEXT, says=(r"a\udcffb holds no audit log", "POSTIL_AUDIT_DIR")),
    bad("relay: a topic that is no text", POSTIL_KAFKA_TOPIC=NO_TEXT, says="POSTIL_KAFKA_TOPIC: must be UTF-8"),
    bad("relay status: an argument that is no text", NO_TEXT, says="unexpected extra argument"),
    bad("relay parked: a tenant that is no text", POSTIL_TENANT=NO_TEXT, says="POSTIL_TENANT: must be UTF-8"),
    bad("relay unpark: a run that is no text", NO_TEXT, says="run_id contains a lone surrogate"),
    bad("bench write: nobody listens", POSTIL_DATABASE_URL=lambda w: f"postgresql://127.0.0.1:{w.closed}/d",
        says=("A scratch database cannot be created", "Connection refused", "Check the URL")),
    bad("bench relay: Kafka refuses", **KAFKA_REFUSES, says=("Connection refused", "POSTIL_KAFKA_*")),
    bad("bench latency: Kafka refuses", **KAFKA_REFUSES, says=("Connection refused", "POSTIL_KAFKA_*")),
]  # fmt: skip


@pytest.mark.parametrize("row", PROCESSES, ids=[row.what for row in PROCESSES])
def test_a_process_ends_with_the_answer(shell: Command, world: Any, row: Bad) -> None:
    before = world.left()
    shell(*row.line, **row.given).assert_refuses(row.code, *row.says)
    assert before == world.left()


def test_every_command_is_among_them(app: typer.Typer) -> None:
    def names(command: Any, path: str) -> list[str]:
        inside = getattr(command, "commands", {})
        found = [name for child in inside for name in names(inside[child], f"{path} {child}".strip())]
        runs_alone = not inside or getattr(command, "invoke_without_command", False)
        return [*found, path] if runs_alone else found

    tried = {row.what.partition(":")[0].removesuffix(" --detach") for row in PROCESSES}
    assert sorted(names(typer.main.get_command(app), "")) == sorted(tried)


def test_an_answer_that_nobody_gives_in_time_is_recorded_as_such(command: Command, world: Any) -> None:
    answer = command("demo", "folder", "--wait", "0")
    assert 2 == answer.code
    assert "error: There was no answer within 0 s" in answer.text
    assert "Run it again and answer in time. The run is recorded as failed" in answer.text


# -- what a long-running program waits for ---------------------------------------------------------------------------

WAITS = [
    bad("relay: Kafka refuses", **KAFKA_REFUSES, says=('"part": "kafka"', "Connection refused")),
    bad("consume audit: Kafka refuses", **KAFKA_REFUSES, POSTIL_AUDIT_DIR="log",
        says=('"sink": "audit"', "Connection refused")),
]  # fmt: skip
WAITS_WITH_KAFKA = [
    bad("relay: nobody listens", POSTIL_DATABASE_URL=lambda w: f"postgresql://127.0.0.1:{w.closed}/d",
        says=('"part": "postgres"', "Connection refused")),
    bad("relay: no schema", POSTIL_DATABASE_URL=attrgetter("bare_url"), says=('"part": "postgres"', "lacks part of schema")),
    bad("relay: a wrong password", POSTIL_KAFKA_PASSWORD=PASSWORD, says=('"part": "kafka"', "Authentication failed")),
    bad("consume audit: a wrong password", POSTIL_KAFKA_PASSWORD=PASSWORD, POSTIL_AUDIT_DIR="log",
        says=('"sink": "audit"', "Authentication failed")),
    bad("consume audit: no topic", POSTIL_KAFKA_TOPIC="nosuch", POSTIL_AUDIT_DIR="log",
        says=('"sink": "audit"', "looking for topic nosuch")),
]  # fmt: skip


@pytest.fixture
def kafka(kafka_server: EmbeddedKafka, kafka_topic: str) -> dict[str, str]:
    """The variables that name a Kafka that answers, and a topic in it."""
    given = {**kafka_server.settings(), "kafka_topic": kafka_topic}
    return {f"POSTIL_{name.upper()}": value for name, value in given.items()}


@pytest.mark.parametrize("row", WAITS, ids=[row.what for row in WAITS])
def test_a_program_waits_for_kafka_with_one_clear_line_and_ends_when_asked(start: Command, row: Bad) -> None:
    assert_waits(start(*row.line, **row.given), *row.says)


@pytest.mark.parametrize("row", WAITS_WITH_KAFKA, ids=[row.what for row in WAITS_WITH_KAFKA])
def test_a_program_that_reaches_kafka_says_what_else_it_waits_for(
    start: Command, kafka: dict[str, str], row: Bad
) -> None:
    assert_waits(start(*row.line, **{**kafka, **row.given}), *row.says)


def assert_waits(process: subprocess.Popen[bytes], *says: str) -> None:
    assert process.stderr is not None
    line = json.loads(process.stderr.readline())
    assert "waiting" == line["event"]
    for said in says:
        assert said in json.dumps(line)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (0, b"", b"") == (process.returncode, out, err)


def test_verify_names_the_garbage_it_finds_and_the_topic_it_does_not(
    command: Command, kafka: dict[str, str], database_url: str
) -> None:
    given = {**kafka, "POSTIL_DATABASE_URL": database_url, "POSTIL_AUDIT_DIR": "garbage"}
    command("verify", "--wait", "0", **given).assert_refuses(1, "the entry was altered")
    missing = {**given, "POSTIL_KAFKA_TOPIC": "nosuch"}
    command("verify", "--wait", "0", **missing).assert_refuses(
        2, "looking for topic nosuch", "POSTIL_KAFKA_TOPIC"
    )


@pytest.mark.parametrize("descriptor", ["x", "-1", "9999"])
def test_a_supervisor_that_cannot_be_told_stops_nobody(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], descriptor: str
) -> None:
    monkeypatch.setenv("POSTIL_READY_FD", descriptor)
    service.announce_ready()
    ready, said = capsys.readouterr().out.split("\n", 1)
    assert "ready" == ready
    assert "POSTIL_READY_FD cannot be written to" in said
