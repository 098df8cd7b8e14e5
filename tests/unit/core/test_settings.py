"""Settings: who is asked first, what is said of a wrong one, and what is never shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from postil.errors import ConfigurationError
from postil.settings import STACK_FILE, Settings, load_settings


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says a setting in one of the places: environment, TOML file, running stack."""
    monkeypatch.delenv("POSTIL_DATA_DIR", raising=False)
    monkeypatch.delenv("POSTIL_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def say(place: str, **settings: Any) -> None:
        match place:
            case "environment":
                for name, value in settings.items():
                    monkeypatch.setenv(f"POSTIL_{name.upper()}", str(value))
            case "file":
                (tmp_path / "postil.toml").write_text(
                    "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
                )
            case _:
                directory = tmp_path / settings.pop("under", ".postil")
                directory.mkdir(exist_ok=True)
                (directory / STACK_FILE).write_text(json.dumps({"settings": settings, "processes": {}}))

    return say


def test_with_nothing_said_the_defaults_hold(say: Any) -> None:
    settings = load_settings()
    assert (settings.tenant, settings.kafka_topic, settings.kafka_partitions, settings.http_port) == (
        "default",
        "postil.events",
        6,
        8400,
    )
    assert settings.audit_path == Path(".postil/audit")
    assert load_settings(data_dir=Path("x"), audit_dir=Path("y")).audit_path == Path("y")


def test_the_first_place_that_says_something_wins(say: Any) -> None:
    say("stack", tenant="of the stack")
    assert load_settings().tenant == "of the stack"
    say("file", tenant="of the file")
    assert load_settings().tenant == "of the file"
    say("environment", tenant="of the environment")
    assert load_settings().tenant == "of the environment"
    assert load_settings(tenant="of the caller").tenant == "of the caller"
    assert load_settings(tenant=None).tenant == "of the environment"


@pytest.mark.parametrize("place", ["environment", "file", "caller"])
def test_the_stack_is_looked_for_where_the_data_directory_is_said_to_be(say: Any, place: str) -> None:
    say("stack", under="elsewhere", tenant="of the stack")
    if place != "caller":
        say(place, data_dir="elsewhere")
    assert load_settings(data_dir=Path("elsewhere") if place == "caller" else None).tenant == "of the stack"


def test_an_empty_variable_says_nothing(say: Any) -> None:
    say("environment", tenant="", http_port="", database_url="", config="")
    assert (load_settings().tenant, load_settings().http_port) == ("default", 8400)


def test_a_file_of_another_name_is_read(say: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.toml").write_text('tenant = "other"\nkafka_partitions = 12\n')
    monkeypatch.setenv("POSTIL_CONFIG", str(tmp_path / "other.toml"))
    assert (load_settings().tenant, load_settings().kafka_partitions) == ("other", 12)


@pytest.mark.parametrize(
    ("place", "settings", "named"),
    [
        ("environment", {"http_port": "eighty"}, "POSTIL_HTTP_PORT"),
        ("environment", {"http_port": "65536"}, "POSTIL_HTTP_PORT"),
        ("environment", {"kafka_partitions": "0"}, "POSTIL_KAFKA_PARTITIONS"),
        ("file", {"kafka_partitions": [1]}, "POSTIL_KAFKA_PARTITIONS"),
        ("file", {"colour": "red"}, "POSTIL_COLOUR"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_shown(
    say: Any, place: str, settings: dict[str, Any], named: str
) -> None:
    say(place, **settings)
    with pytest.raises(ConfigurationError, match=named) as refused:
        load_settings()
    assert "eighty" not in str(refused.value)
    assert refused.value.advice


def test_a_malformed_file_is_an_error_with_its_line(say: Any, tmp_path: Path) -> None:
    (tmp_path / "postil.toml").write_text('tenant = "x"\nkafka_password = secret\n')
    with pytest.raises(ConfigurationError, match="line 2") as refused:
        load_settings()
    assert "secret" not in str(refused.value)


def test_a_file_that_is_not_there_is_an_error_and_not_ignored(
    say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTIL_CONFIG", "typo.toml")
    with pytest.raises(ConfigurationError, match=r"typo\.toml"):
        load_settings()


@pytest.mark.parametrize("content", ["", "{", "[]", "5", '{"settings": 5}', '{"processes": {}}', "\x00"])
def test_a_stack_file_that_is_just_being_written_is_no_error(say: Any, tmp_path: Path, content: str) -> None:
    (tmp_path / ".postil").mkdir()
    (tmp_path / ".postil" / STACK_FILE).write_text(content)
    assert load_settings().database_url is None


def test_secrets_are_not_shown(say: Any) -> None:
    settings = load_settings(
        database_url="postgresql://u:hush@h/d", kafka_password="hush", kafka_username="u"
    )
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings)


def test_settings_do_not_change(say: Any) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().tenant = "x"  # type: ignore[misc]


def test_what_is_missing_says_how_to_get_it(say: Any) -> None:
    settings = load_settings()
    with pytest.raises(ConfigurationError, match="POSTIL_DATABASE_URL"):
        settings.require_database_url()
    with pytest.raises(ConfigurationError, match="POSTIL_KAFKA_BOOTSTRAP_SERVERS"):
        settings.kafka_client()
    assert load_settings(database_url="postgresql://h/d").require_database_url() == "postgresql://h/d"


def test_kafka_is_connected_to_with_what_was_said_and_nothing_else(say: Any, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    plain = load_settings(kafka_bootstrap_servers="h:9092").kafka_client()
    assert {name: value for name, value in plain.items() if "reconnect" not in name} == {
        "bootstrap.servers": "h:9092",
        "security.protocol": "PLAINTEXT",
    }
    secured = load_settings(
        kafka_bootstrap_servers="h:9092",
        kafka_security_protocol="SASL_SSL",
        kafka_sasl_mechanism="PLAIN",
        kafka_username="u",
        kafka_password="p",
        kafka_ssl_ca=Path("ca.pem"),
    ).kafka_client()
    assert {name: value for name, value in secured.items() if "reconnect" not in name} == {
        "bootstrap.servers": "h:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "u",
        "sasl.password": "p",
        "ssl.ca.location": "ca.pem",
    }


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
