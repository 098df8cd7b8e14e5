"""Settings and databases that cannot be used: each command names the setting, gives the reason, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.timeout(60)  # a command must refuse at once, not hang

Command = Callable[..., Any]  # the fixtures `command` and `shell` of tests/fixtures/command_line.py
Argument = Any  # text, bytes, or a function from the world of that file to one of them
LONG = "x" * 3000
NOT_UTF8 = b"a\xffb"  # Python decodes the invalid byte as a lone surrogate
PASSWORD = "hush"  # no output may contain it
DATABASE_COMMANDS: dict[str, list[str]] = {
    "migrate": [],
    "import": ["ok.xes"],
    "demo": ["folder"],
    "answer": ["r", "q", "accept"],
    "verify": [],
    "relay status": [],
    "relay parked": [],
    "relay unpark": ["r"],
    "bench write": [],
    "bench relay": [],
    "bench latency": [],
}
LONG_RUNNING: dict[str, list[str]] = {"relay": [], "consume audit": [], "serve": []}


@pytest.fixture(autouse=True, scope="module")
def files(world: Any) -> None:
    directory: Path = world.directory
    (directory / "folder").mkdir()
    (directory / "ok.xes").write_bytes(b'<log><trace><string key="concept:name" value="c"/></trace></log>')
    (directory / "a_file").write_bytes(b"x")
    log = directory / "garbage" / "postil.events-0"
    log.mkdir(parents=True)
    (log / "manifest.ndjson").write_bytes(b"\0\n")
    (directory / "circle").symlink_to(directory / "circle")


# -- the database URL, for every command that has one ---------------------------------------------------------------

UNUSABLE_URLS: dict[str, tuple[Argument, str]] = {
    "of another database": (f"mysql://u:{PASSWORD}@h/d", "The database URL is not one of PostgreSQL"),
    "not a URL": ("nonsense", "The database URL is not one of PostgreSQL"),
    "keys and values": (f"host=127.0.0.1 password={PASSWORD}", "The database URL is not one of PostgreSQL"),
    "a port that is not a number": (f"postgresql://u:{PASSWORD}@h:x/d", "has a port that is not a number"),
    "port 0": (f"postgresql://u:{PASSWORD}@h:0/d", "has a port that is not a number from 1 to 65535"),
    "port 99999": (f"postgresql://u:{PASSWORD}@h:99999/d", "has a port that is not a number from 1 to 65535"),
    "a password that was not encoded": (
        f"postgresql://u:a/{PASSWORD}@h/d",
        "has a port that is not a number",
    ),
    "a host of 3,000 characters": (
        f"postgresql://u:{PASSWORD}@{LONG}/d",
        "has a host that is not a host name",
    ),
    "half an IPv6 address": (f"postgresql://u:{PASSWORD}@[::1/d", "cannot be read: end of string reached"),
    "an unknown option": (
        f"postgresql://u:{PASSWORD}@h/d?nosuch=1",
        'cannot be read: invalid URI query parameter: "nosuch"',
    ),
    "not UTF-8": (b"postgresql://\xff@h/d", "POSTIL_DATABASE_URL: must be UTF-8"),
    "not set": ("", "POSTIL_DATABASE_URL is not set"),
}
UNREACHABLE_URLS: dict[str, tuple[Argument, str]] = {
    "no listener": (
        lambda w: f"postgresql://u:{PASSWORD}@127.0.0.1:{w.closed}/d",
        "Connection refused",
    ),
    "a wrong password": (
        lambda w: w.with_(netloc=f"postil:{PASSWORD}@{urlsplit(w.url).netloc.rpartition('@')[2]}"),
        "password authentication failed",
    ),
    "no such database": (lambda w: w.with_(path="/nosuch"), '"nosuch" does not exist'),
}


def command_line(name: str) -> list[str]:
    """Return the words of a command with its arguments."""
    return [*name.split(), *(DATABASE_COMMANDS | LONG_RUNNING)[name]]


def other_settings(name: str) -> dict[str, str]:
    """Return the settings that a command checks before it connects to the database; a benchmark has its own."""
    return {} if "bench" in name else {"POSTIL_KAFKA_BOOTSTRAP_SERVERS": "h:1", "POSTIL_AUDIT_DIR": "garbage"}


URL_ROWS = [
    *(pytest.param(name, *row, id=f"{name}: {what}")
      for name in [*DATABASE_COMMANDS, *LONG_RUNNING] for what, row in UNUSABLE_URLS.items()
      if not (what == "not set" and "bench" in name)),
    *(pytest.param(name, *row, id=f"{name}: {what}")
      for name in DATABASE_COMMANDS for what, row in UNREACHABLE_URLS.items()),
    *(pytest.param(name, lambda w: w.bare_url, "postil migrate", id=f"{name}: no schema")
      for name in DATABASE_COMMANDS if "bench" not in name and name != "migrate"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "url", "reason"), URL_ROWS)
def test_every_command_refuses_an_unusable_database(
    command: Command, world: Any, name: str, url: Argument, reason: str
) -> None:
    """Each command exits with 2, gives the reason, and changes nothing when its database cannot be used."""
    before = world.left()
    command(*command_line(name), **other_settings(name), POSTIL_DATABASE_URL=url).assert_refuses(2, reason)
    assert world.left() == before


# -- the other settings, in the environment and in the TOML file -----------------------------------------------------

PATHS = ("POSTIL_DATA_DIR", "POSTIL_AUDIT_DIR", "POSTIL_KAFKA_SSL_CA")
TEXTS = (
    "POSTIL_TENANT", "POSTIL_KAFKA_TOPIC", "POSTIL_KAFKA_BOOTSTRAP_SERVERS", "POSTIL_KAFKA_USERNAME",
    "POSTIL_KAFKA_PASSWORD", "POSTIL_KAFKA_SASL_MECHANISM", "POSTIL_KAFKA_SECURITY_PROTOCOL", "POSTIL_HTTP_HOST",
)  # fmt: skip
VARIABLES: list[tuple[str, str | bytes, str]] = [
    *((name, LONG, "each name in it less than 256") for name in PATHS),
    *((name, NOT_UTF8, "must be UTF-8") for name in TEXTS),
    *(("POSTIL_HTTP_PORT", value, "nput") for value in ("-1", "99999", "x", "nan", "8400.5", "9" * 5000)),
    *(("POSTIL_KAFKA_PARTITIONS", value, "Input should be") for value in ("0", "-1", "x", "inf", "100001")),
    *(("POSTIL_KAFKA_TOPIC", value, "that Kafka allows") for value in ("a b", "a/b", "..", LONG)),
    *(("POSTIL_KAFKA_BOOTSTRAP_SERVERS", value, "must be host:port")
      for value in ("h:x", "h:0", "h:99999", "h,,g", "a b", "http://h/x")),
    *(("POSTIL_KAFKA_SECURITY_PROTOCOL", value, "must be one of PLAINTEXT") for value in ("x", LONG)),
    *(("POSTIL_HTTP_HOST", value, "must be a host name") for value in (LONG, "a b", "a..b", "http://h", "a" * 64)),
]  # fmt: skip
TOML: dict[str, tuple[bytes, str]] = {
    "NUL in a path": (b'data_dir = "a\\u0000b"', "POSTIL_DATA_DIR: must not contain NUL"),
    "NUL in another path": (b'audit_dir = "a\\u0000b"', "POSTIL_AUDIT_DIR: must not contain NUL"),
    "NUL in a text": (b'tenant = "a\\u0000b"', "POSTIL_TENANT: must not contain NUL"),
    "NUL in the URL": (
        b'database_url = "postgresql://a\\u0000b@h/d"',
        "POSTIL_DATABASE_URL: must not contain NUL",
    ),
    "an empty path": (b'data_dir = ""', "POSTIL_DATA_DIR: must not be empty"),
    "an empty topic": (b'kafka_topic = ""', "POSTIL_KAFKA_TOPIC: must be 1 to 249"),
    "a number for a path": (b"data_dir = 5", "POSTIL_DATA_DIR: Input is not a valid path"),
    "a list for a number": (b"http_port = [1]", "POSTIL_HTTP_PORT: Input should be a valid integer"),
    "NaN for a number": (b"kafka_partitions = nan", "POSTIL_KAFKA_PARTITIONS: Input should be"),
    "a table for a text": (b"[tenant]\nx = 1", "POSTIL_TENANT: Input should be a valid string"),
    "an unknown key": (b'colour = "red"', "POSTIL_COLOUR: Extra inputs are not permitted"),
    "an unknown table": (b"[tool]\nx = 1", "POSTIL_TOOL: Extra inputs are not permitted"),
    "not TOML": (
        b'tenant = "a"\nkafka_password = hush',
        "settings.toml cannot be read: Invalid value (at line 2",
    ),
    "a raw NUL": (b'tenant = "a\0b"', "settings.toml cannot be read: Illegal character"),
    "not UTF-8": (b'tenant = "\xff"', "settings.toml cannot be read"),
    "lists a million deep": (b"tenant = " + b"[" * 1_000_000, "settings.toml is nested too deep"),
    "a key of 3,000 characters": (b"%s = 1" % LONG.encode(), "Extra inputs are not permitted"),
    "a lone surrogate": (b'tenant = "\\ud800"', "settings.toml cannot be read"),
}
CONFIGS: dict[str, tuple[Argument, str]] = {
    "that does not exist": (
        "nosuch.toml",
        "POSTIL_CONFIG names nosuch.toml, which cannot be read: No such file",
    ),
    "that is a directory": ("folder", "POSTIL_CONFIG names folder, which is a directory"),
    "under a file": ("a_file/settings.toml", "which cannot be read: Not a directory"),
    "in a circle": ("circle", "which cannot be read: Too many levels"),
    "of 3,000 characters": (LONG, "which cannot be read: File name too long"),
    "that is not UTF-8": (NOT_UTF8, "POSTIL_CONFIG names a"),
}


@pytest.mark.parametrize(
    ("name", "value", "reason"), VARIABLES, ids=[f"{n}: {v[:20]!r}" for n, v, _ in VARIABLES]
)
def test_an_invalid_variable_is_named(
    command: Command, world: Any, name: str, value: str | bytes, reason: str
) -> None:
    """A command names the environment variable with an invalid value, and changes nothing."""
    before = world.left()
    command("status", **{name: value}).assert_refuses(2, name, reason)
    assert world.left() == before


@pytest.mark.parametrize("what", TOML)
def test_an_invalid_settings_file_is_named_with_the_place(
    command: Command, tmp_path: Path, what: str
) -> None:
    """A command names the key or the place in a settings file that cannot be used."""
    content, reason = TOML[what]
    file = tmp_path / "settings.toml"
    file.write_bytes(content)
    # An empty variable counts as not set; other variables would override the file.
    answer = command("status", POSTIL_CONFIG=str(file), POSTIL_DATA_DIR="", POSTIL_DATABASE_URL="")
    answer.assert_refuses(2, reason)


@pytest.mark.parametrize("what", CONFIGS)
def test_an_unreadable_settings_file_is_named(command: Command, what: str) -> None:
    """A command names the settings file that it cannot read, with the reason."""
    config, reason = CONFIGS[what]
    command("status", POSTIL_CONFIG=config).assert_refuses(2, reason)
