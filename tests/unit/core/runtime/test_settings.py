"""Settings: the order of the sources, the errors, and the secrets that are never shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from postil.errors import ConfigurationError
from postil.settings import STACK_FILE, Settings, load_settings


@pytest.fixture
def set_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that sets settings in a source: environment, TOML file, or running stack."""
    monkeypatch.delenv("POSTIL_DATA_DIR", raising=False)
    monkeypatch.delenv("POSTIL_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def set_in(source: str, **settings: Any) -> None:
        match source:
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

    return set_in


def test_defaults_apply_without_any_source(set_in: Any) -> None:
    """Without any source each setting has its default."""
    settings = load_settings()
    assert (settings.tenant, settings.kafka_topic, settings.kafka_partitions, settings.http_port) == (
        "default",
        "postil.events",
        6,
        8400,
    )
    assert settings.audit_path == Path(".postil/audit")
    assert load_settings(data_dir=Path("x"), audit_dir=Path("y")).audit_path == Path("y")


def test_the_first_source_with_a_value_wins(set_in: Any) -> None:
    """The order is caller, environment, file, stack, default; None is not a value."""
    set_in("stack", tenant="of the stack")
    assert load_settings().tenant == "of the stack"
    set_in("file", tenant="of the file")
    assert load_settings().tenant == "of the file"
    set_in("environment", tenant="of the environment")
    assert load_settings().tenant == "of the environment"
    assert load_settings(tenant="of the caller").tenant == "of the caller"
    assert load_settings(tenant=None).tenant == "of the environment"


@pytest.mark.parametrize("source", ["environment", "file", "caller"])
def test_the_stack_is_read_from_the_data_directory(set_in: Any, source: str) -> None:
    """A data directory from any other source decides which stack's file is read."""
    set_in("stack", under="elsewhere", tenant="of the stack")
    if source != "caller":
        set_in(source, data_dir="elsewhere")
    assert load_settings(data_dir=Path("elsewhere") if source == "caller" else None).tenant == "of the stack"


def test_an_empty_variable_is_ignored(set_in: Any) -> None:
    """An environment variable that is empty counts as not set."""
    set_in("environment", tenant="", http_port="", database_url="", config="")
    assert (load_settings().tenant, load_settings().http_port) == ("default", 8400)


def test_a_file_of_another_name_is_read(set_in: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """POSTIL_CONFIG names the TOML file."""
    (tmp_path / "other.toml").write_text('tenant = "other"\nkafka_partitions = 12\n')
    monkeypatch.setenv("POSTIL_CONFIG", str(tmp_path / "other.toml"))
    assert (load_settings().tenant, load_settings().kafka_partitions) == ("other", 12)


@pytest.mark.parametrize(
    ("source", "settings", "named"),
    [
        ("environment", {"http_port": "eighty"}, "POSTIL_HTTP_PORT"),
        ("environment", {"http_port": "65536"}, "POSTIL_HTTP_PORT"),
        ("environment", {"kafka_partitions": "0"}, "POSTIL_KAFKA_PARTITIONS"),
        ("file", {"kafka_partitions": [1]}, "POSTIL_KAFKA_PARTITIONS"),
        ("file", {"colour": "red"}, "POSTIL_COLOUR"),
    ],
)
def test_a_wrong_setting_is_named_without_its_value(
    set_in: Any, source: str, settings: dict[str, Any], named: str
) -> None:
    """The error names the variable; its value may be a secret."""
    set_in(source, **settings)
    with pytest.raises(ConfigurationError, match=named) as refused:
        load_settings()
    assert "eighty" not in str(refused.value)
    assert refused.value.advice


def test_a_malformed_file_is_an_error_with_its_line(set_in: Any, tmp_path: Path) -> None:
    """The error has the line of the fault, and not its text."""
    (tmp_path / "postil.toml").write_text('tenant = "x"\nkafka_password = secret\n')
    with pytest.raises(ConfigurationError, match="line 2") as refused:
        load_settings()
    assert "secret" not in str(refused.value)


def test_a_missing_file_is_an_error(set_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that POSTIL_CONFIG names must exist."""
    monkeypatch.setenv("POSTIL_CONFIG", "typo.toml")
    with pytest.raises(ConfigurationError, match=r"typo\.toml"):
        load_settings()


@pytest.mark.parametrize("content", ["", "{", "[]", "5", '{"settings": 5}', '{"processes": {}}', "\x00"])
def test_an_unfinished_stack_file_is_ignored(set_in: Any, tmp_path: Path, content: str) -> None:
    """A stack file that is just being written counts as no stack."""
    (tmp_path / ".postil").mkdir()
    (tmp_path / ".postil" / STACK_FILE).write_text(content)
    assert load_settings().database_url is None


def test_secrets_are_not_shown(set_in: Any) -> None:
    """Passwords are absent from the text forms of the settings."""
    settings = load_settings(
        database_url="postgresql://u:hush@h/d", kafka_password="hush", kafka_username="u"
    )
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings)


def test_settings_cannot_be_changed(set_in: Any) -> None:
    """Assigning a setting raises an error."""
    with pytest.raises(ValueError, match="frozen"):
        load_settings().tenant = "x"


def test_a_missing_setting_is_named(set_in: Any) -> None:
    """The error for a missing database or broker names its variable."""
    settings = load_settings()
    with pytest.raises(ConfigurationError, match="POSTIL_DATABASE_URL"):
        settings.require_database_url()
    with pytest.raises(ConfigurationError, match="POSTIL_KAFKA_BOOTSTRAP_SERVERS"):
        settings.kafka_client()
    assert load_settings(database_url="postgresql://h/d").require_database_url() == "postgresql://h/d"


def test_kafka_clients_get_the_settings_only(set_in: Any, tmp_path: Path) -> None:
    """Only the settings that are set become properties of librdkafka."""
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
    """The reference has a description for each setting."""
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
