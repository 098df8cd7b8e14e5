"""Bad input to the relay, the consumers, `verify`, `serve` and `bench`: exit code, cause, advice, and no trace."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.refusals import (
    KAFKA_REFUSES,
    KAFKA_UNUSABLE,
    LONG,
    NOT_TEXT,
    OPEN,
    PASSWORD,
    Refusal,
    bad_numbers,
    refusal,
)

pytestmark = pytest.mark.timeout(60)  # a command that hangs does not refuse its input

AUDIT = [
    *(
        refusal(name, place, says=says, POSTIL_AUDIT_DIR=place, **KAFKA_REFUSES)
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
    refusal("audit verify", "a directory for a manifest", "unreadable", says="manifest.ndjson cannot be read: Is a directory"),
    refusal("audit verify", "garbage", "garbage", "--wait", "0", code=1,
        says=("manifest.ndjson entry 0 byte 0 the entry was altered", "entry 1 byte 3", "TAMPERED")),
    refusal("audit verify", "one log of it", "garbage/postil.events-0", "--wait", "0", "--json", code=1, says='"sound": false'),
    refusal("audit verify", "no manifest", "headless", code=1, says=("the manifest is missing", "TAMPERED")),
    refusal("audit verify", "a name of 3,000 characters", LONG, says=("File name too long", "Name the audit directory")),
    refusal("audit verify", "a name that is not text", NOT_TEXT, says="holds no audit log"),
    refusal("audit", "no such command", "nosuch", says="No such command 'nosuch'"),
    *bad_numbers("audit verify", "--wait", "garbage"),
    *bad_numbers("verify", "--wait"),
    refusal("verify", "no Kafka", says="POSTIL_KAFKA_BOOTSTRAP_SERVERS is not set", POSTIL_AUDIT_DIR="garbage"),
    refusal("verify", "an unknown SASL mechanism", says="Unsupported SASL mechanism: x", **KAFKA_UNUSABLE,
        POSTIL_AUDIT_DIR="garbage", POSTIL_KAFKA_SASL_MECHANISM="x"),
]  # fmt: skip

PROGRAMS = [
    refusal("serve", "--port x", "--port", "x", says=("'--port'", "valid integer")),
    refusal("serve", "--port 99999", "--port", "99999", says=("'--port'", "less than or equal to 65535")),
    *(refusal("serve", f"--allow-host {host!r}", "--allow-host", host, says=("'--allow-host'", "is not a host name"))
      for host in ("", "a b", "h:8400", "http://h", NOT_TEXT)),
    refusal("serve", "--host of 3,000 characters", "--host", LONG, says="POSTIL_HTTP_HOST: must be a host name"),
    refusal("serve", "--host empty", "--host", "", says="POSTIL_HTTP_HOST: must be a host name"),
    refusal("serve", "--host not text", "--host", NOT_TEXT, says="POSTIL_HTTP_HOST: must be UTF-8"),
    refusal("serve", "a variable that is not a yes or no", POSTIL_HTTP_ANY_LOCAL_USER="maybe",
        says="'POSTIL_HTTP_ANY_LOCAL_USER'"),
    *(
        row
        for name in ("relay", "consume audit")
        for row in (
            refusal(name, "no Kafka", says="POSTIL_KAFKA_BOOTSTRAP_SERVERS is not set"),
            refusal(name, "an unknown SASL mechanism", says=("Unsupported SASL mechanism: x", "POSTIL_KAFKA_*"),
                **KAFKA_UNUSABLE, POSTIL_KAFKA_SASL_MECHANISM="x"),
            refusal(name, "no certificates", says="POSTIL_KAFKA_SSL_CA names nosuch, which cannot be read",
                **KAFKA_UNUSABLE, POSTIL_KAFKA_SSL_CA="nosuch"),
            refusal(name, "certificates that are not certificates", says=("ssl.ca.location failed", "POSTIL_KAFKA_*"),
                **KAFKA_UNUSABLE, POSTIL_KAFKA_SSL_CA="a_file", POSTIL_KAFKA_USERNAME="u", POSTIL_KAFKA_PASSWORD=PASSWORD,
                POSTIL_KAFKA_SASL_MECHANISM="PLAIN"),
        )
    ),
    refusal("consume audit", "a file for the log", says=("a_file cannot be read or written", "POSTIL_AUDIT_DIR"),
        **KAFKA_REFUSES, POSTIL_AUDIT_DIR="a_file"),
    refusal("consume audit", "a log under a file", says=("a_file/x cannot be read or written", "POSTIL_AUDIT_DIR"),
        **KAFKA_REFUSES, POSTIL_AUDIT_DIR="a_file/x"),
    refusal("consume", "no such consumer", "nosuch", says="No such command 'nosuch'"),
    refusal("relay", "no such command", "nosuch", says="No such command 'nosuch'"),
    refusal("relay status", "an argument", "x", says="unexpected extra argument(s) (x)"),
    refusal("relay parked", "an unknown option", "--nosuch", says="No such option: --nosuch"),
    refusal("relay unpark", "an unknown run", "nosuch",
        says=("Run nosuch of tenant default is not parked", "postil relay parked")),
    refusal("relay unpark", "a run that is not parked", OPEN, says="is not parked"),
    refusal("relay unpark", "an empty run", "", says="is not parked"),
    refusal("relay unpark", "a run of 3,000 characters", LONG, says="is not parked"),
    refusal("relay unpark", "a run that is not text", NOT_TEXT, says="run_id contains a lone surrogate"),
    refusal("relay unpark", "--tenant empty", OPEN, "--tenant", "", says="of tenant is not parked"),
    refusal("relay unpark", "an unknown tenant", OPEN, "--tenant", "absent", says="of tenant absent is not parked"),
    refusal("relay unpark", "--tenant not text", OPEN, "--tenant", NOT_TEXT, says="POSTIL_TENANT: must be UTF-8"),
    *bad_numbers("bench write", "--seconds"),
    *bad_numbers("bench latency", "--seconds"),
    *bad_numbers("bench latency", "--rate"),
    refusal("bench write", "--rounds 0", "--rounds", "0", says=("'--rounds'", "greater than or equal to 1")),
    refusal("bench write", "--rounds without end", "--rounds", "9" * 30, says=("'--rounds'", "less than or equal to 1000")),
    refusal("bench relay", "--rounds 0", "--rounds", "0", says=("'--rounds'", "greater than or equal to 1")),
    refusal("bench relay", "--events 999", "--events", "999", says=("'--events'", "greater than or equal to 1000")),
    refusal("bench relay", "--events without end", "--events", "9" * 30, says=("'--events'", "less than or equal to 10000000")),
    refusal("bench latency", "an unknown SASL mechanism", says="Unsupported SASL mechanism: x", **KAFKA_UNUSABLE,
        POSTIL_KAFKA_SASL_MECHANISM="x"),
    refusal("bench", "no such measurement", "nosuch", says="No such command 'nosuch'"),
]  # fmt: skip

ROWS = [*AUDIT, *PROGRAMS]


@pytest.mark.parametrize("row", ROWS, ids=[row.case for row in ROWS])
def test_a_program_refuses_a_bad_argument(command: Any, world: Any, row: Refusal) -> None:
    """The answer names the fault and what to do, and neither rows nor files change."""
    before = world.left()
    command(*row.line, **row.environment).assert_refuses(row.code, *row.says)
    assert world.left() == before
