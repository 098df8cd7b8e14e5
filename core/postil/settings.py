"""Every setting Postil has, in one typed place.

A value comes from the first of: the caller, a ``POSTIL_*`` environment variable,
the TOML file named by ``POSTIL_CONFIG``, the stack running under ``data_dir`` (its ``stack.json``), the default here.
"""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from postil.errors import ConfigurationError

T = TypeVar("T")

STACK_FILE = "stack.json"
"""The running stack's own record, under its data directory."""

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_BROKER = re.compile(r"(?:[A-Z_]+://)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::(?P<port>[0-9]{1,5}))?")
_HOST = re.compile(r"[A-Za-z0-9:%_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_PROTOCOLS = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}


class _RunningStack(PydanticBaseSettingsSource):
    """What `postil up` wrote down about the stack it runs."""

    def __init__(self, settings_cls: type[BaseSettings], data_dir: Path) -> None:
        super().__init__(settings_cls)
        self._file = data_dir / STACK_FILE

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 (pydantic's)
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        try:
            written = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}  # no stack here, or one that is just being written: not an error
        found: Any = cast("dict[str, Any]", written).get("settings") if isinstance(written, dict) else None
        return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


class Settings(BaseSettings):
    """Where the parts are and how to reach them."""

    model_config = SettingsConfigDict(
        env_prefix="POSTIL_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    database_url: str | None = Field(
        None, description="PostgreSQL to write to: postgresql://user:password@host:port/name", repr=False
    )
    kafka_bootstrap_servers: str | None = Field(None, description="Kafka brokers, host:port, comma separated")
    kafka_security_protocol: str = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    kafka_sasl_mechanism: str | None = Field(
        None, description="PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
    )
    kafka_username: str | None = Field(None, description="SASL user name")
    kafka_password: str | None = Field(None, description="SASL password", repr=False)
    kafka_ssl_ca: Path | None = Field(None, description="File of the certificate authorities to trust")
    kafka_topic: str = Field("postil.events", description="Topic of the event log")
    kafka_partitions: int = Field(
        6, ge=1, le=100_000, description="Partitions of the topic, when Postil creates it"
    )
    tenant: str = Field("default", description="Tenant the commands work in")
    data_dir: Path = Field(Path(".postil"), description="Where the embedded stack keeps its data")
    audit_dir: Path | None = Field(
        None, description="Where the audit log is written (default: DATA_DIR/audit)"
    )
    http_host: str = Field("127.0.0.1", description="Address the dashboard listens on")
    http_port: int = Field(8400, ge=0, le=65535, description="Port the dashboard listens on")

    # What a client would refuse in its own words, or wait for without end, is refused here under the setting's name.

    @field_validator("data_dir", "audit_dir", "kafka_ssl_ca", mode="before")
    @classmethod
    def _is_named(cls, value: Any) -> Any:
        """An empty path would be the directory one happens to be in."""
        return _must(value != "", value, "must not be empty")

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        """Nothing can be named with NUL; and a text is Unicode, which the name of a file need not be."""
        _must("\0" not in str(value), value, "must not contain NUL")
        lone = isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value)
        return _must(not lone, value, "must be UTF-8")

    @field_validator("data_dir", "audit_dir", "kafka_ssl_ca")
    @classmethod
    def _is_path(cls, value: Path | None) -> Path | None:
        fit = value is None or all(len(os.fsencode(name)) < 256 for name in value.parts)
        fit = fit and len(os.fsencode(value or "")) < 3_000
        return _must(fit, value, "must be a path of less than 3,000 bytes, each name in it less than 256")

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _are_brokers(cls, value: str | None) -> str | None:
        found = [_BROKER.fullmatch(one.strip()) for one in (value or "").split(",")]
        fit = not value or all(one and 0 < int(one["port"] or 9092) <= 65535 for one in found)
        return _must(fit, value, "must be host:port, or several of them, comma separated")

    @field_validator("kafka_security_protocol")
    @classmethod
    def _is_protocol(cls, value: str) -> str:
        return _must(value.upper() in _PROTOCOLS, value, f"must be one of {', '.join(sorted(_PROTOCOLS))}")

    @field_validator("kafka_topic")
    @classmethod
    def _is_topic(cls, value: str) -> str:
        fit = _TOPIC.fullmatch(value) and value not in {".", ".."}
        return _must(fit, value, "must be 1 to 249 of the letters, digits and ._- that Kafka allows")

    @field_validator("http_host")
    @classmethod
    def _is_host(cls, value: str) -> str:
        return _must(_HOST.fullmatch(value), value, "must be a host name or an IP address")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic's signature)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic's signature)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Caller, environment, TOML file, running stack."""
        toml = TomlConfigSettingsSource(settings_cls, Path(_config()))
        known: dict[str, Any] = {**toml(), **env_settings(), **init_settings()}
        data_dir = known.get("data_dir")
        if not isinstance(data_dir, (str, Path)) or data_dir == "":  # what else it may be is refused below
            data_dir = ".postil"
        return (init_settings, env_settings, toml, _RunningStack(settings_cls, Path(data_dir)))

    @property
    def audit_path(self) -> Path:
        """Where the audit log is."""
        return self.audit_dir or self.data_dir / "audit"

    def require_database_url(self) -> str:
        """The database's URL, or `ConfigurationError` where none is known or it is none to connect with."""
        if not self.database_url:
            raise ConfigurationError(
                f"No database: POSTIL_DATABASE_URL is not set and no stack runs under {self.data_dir}.",
                advice="Start one with `postil up`, or set POSTIL_DATABASE_URL.",
            )
        from postil.database_url import check_database_url  # noqa: PLC0415 (psycopg: only for who connects)

        return check_database_url(self.database_url)

    def require_kafka(self) -> str:
        """Kafka's bootstrap servers, or `ConfigurationError` where none are known."""
        if not self.kafka_bootstrap_servers:
            raise ConfigurationError(
                f"No Kafka: POSTIL_KAFKA_BOOTSTRAP_SERVERS is not set and no stack runs under {self.data_dir}.",
                advice="Start one with `postil up`, or set POSTIL_KAFKA_BOOTSTRAP_SERVERS.",
            )
        return self.kafka_bootstrap_servers

    def kafka_client(self) -> dict[str, str]:
        """The librdkafka properties every client of ours connects with.

        Raises `ConfigurationError` where no broker is known, or the certificates' file is not there.
        """
        if self.kafka_ssl_ca is not None and not os.access(self.kafka_ssl_ca, os.R_OK):
            raise ConfigurationError(
                f"POSTIL_KAFKA_SSL_CA names {self.kafka_ssl_ca}, which cannot be read.",
                advice="Correct the path.",
            )
        found = {
            "bootstrap.servers": self.require_kafka(),
            "security.protocol": self.kafka_security_protocol,
            # A client that met Kafka a moment too early tries again at once; the default grows to 10 s.
            "reconnect.backoff.ms": "50",
            "reconnect.backoff.max.ms": "1000",
        }
        optional = {
            "sasl.mechanism": self.kafka_sasl_mechanism,
            "sasl.username": self.kafka_username,
            "sasl.password": self.kafka_password,
            "ssl.ca.location": self.kafka_ssl_ca and str(self.kafka_ssl_ca),
        }
        return found | {name: value for name, value in optional.items() if value}


def _must(fit: object, value: T, rule: str) -> T:
    if not fit:
        raise PydanticCustomError("setting", "{rule}", {"rule": rule})
    return value


def _config() -> str:
    return os.environ.get("POSTIL_CONFIG") or "postil.toml"


def _check_config() -> None:
    """A file that is named is there, and is a file: pydantic passes over one that is not."""
    named = os.environ.get("POSTIL_CONFIG")
    if not named:
        return
    try:
        is_directory = stat.S_ISDIR(Path(named).stat().st_mode)
    except OSError as error:
        raise ConfigurationError(
            f"POSTIL_CONFIG names {named}, which cannot be read: {error.strerror}.",
            advice="Correct it, or unset it.",
        ) from None
    if is_directory:
        raise ConfigurationError(
            f"POSTIL_CONFIG names {named}, which is a directory.", advice="Name the TOML file in it."
        )


def load_settings(**given: Any) -> Settings:
    """Gather the settings; what is `given` (and not None) wins.

    Raises `ConfigurationError` naming the variable that is wrong.
    """
    _check_config()
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(
            f"POSTIL_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}"
            for e in error.errors(include_input=False)
        )
        raise ConfigurationError(
            f"Settings are wrong. {wrong}", advice="Correct the option, the environment or the TOML file."
        ) from None
    except RecursionError:
        raise ConfigurationError(
            f"The settings file {_config()} is nested too deep.",
            advice="Settings are plain names and values.",
        ) from None
    except (ValueError, OSError) as error:  # an unreadable or malformed TOML file
        raise ConfigurationError(
            f"The settings file {_config()} cannot be read: {error}", advice="Correct it, or POSTIL_CONFIG."
        ) from None
