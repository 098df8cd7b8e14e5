"""The settings of Postil, with their types, defaults and checks.

The first of these sources that has a value wins: the caller (a command's option), the environment variable ``POSTIL_*``,
the TOML file named by ``POSTIL_CONFIG``, the stack that runs under ``data_dir`` (its ``stack.json``), the default.
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
"""The file under its data directory in which a running stack lists its settings."""

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_BROKER = re.compile(r"(?:[A-Z_]+://)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::(?P<port>[0-9]{1,5}))?")
_HOST = re.compile(r"[A-Za-z0-9:%_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_PROTOCOLS = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}


class _RunningStack(PydanticBaseSettingsSource):
    """The settings that `postil up` has written to the file of the stack that it runs."""

    def __init__(self, settings_cls: type[BaseSettings], data_dir: Path) -> None:
        super().__init__(settings_cls)
        self._file = data_dir / STACK_FILE

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 (pydantic's)
        return self().get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        try:
            state: object = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}  # no stack here, or its file is just being written: not an error
        settings: object = (
            cast("dict[str, object]", state).get("settings") if isinstance(state, dict) else None
        )
        return cast("dict[str, Any]", settings) if isinstance(settings, dict) else {}


class Settings(BaseSettings):
    """Where Postgres and Kafka are, how to connect to them, and where Postil keeps its files."""

    model_config = SettingsConfigDict(
        env_prefix="POSTIL_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    database_url: str | None = Field(
        None,
        repr=False,
        description="The PostgreSQL database with schema `postil`, as postgresql://user:password@host:port/name. "
        "Defaults to none: commands that need the database end with an error.",
    )
    kafka_bootstrap_servers: str | None = Field(
        None,
        description="The Kafka brokers to connect to first, as host:port, separated by commas. "
        "Defaults to none: relay and consumers end with an error.",
    )
    kafka_security_protocol: str = Field(
        "PLAINTEXT",
        description="How clients connect to Kafka: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. "
        "Defaults to PLAINTEXT: no encryption and no login.",
    )
    kafka_sasl_mechanism: str | None = Field(
        None,
        description="How clients log in to Kafka: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER. "
        "Needed with SASL_PLAINTEXT and SASL_SSL. Defaults to none.",
    )
    kafka_username: str | None = Field(
        None, description="The user name for SASL. Defaults to none: no login."
    )
    kafka_password: str | None = Field(
        None, repr=False, description="The password for SASL. It is never shown. Defaults to none."
    )
    kafka_ssl_ca: Path | None = Field(
        None,
        description="The file with the certificate authorities that the brokers' certificates must come from, in PEM. "
        "Defaults to none: those of the operating system.",
    )
    kafka_topic: str = Field(
        "postil.events",
        description="The topic to which the relay publishes events, and from which consumers read them. "
        "All of them must have the same value. Defaults to postil.events.",
    )
    kafka_partitions: int = Field(
        6,
        ge=1,
        le=100_000,
        description="The number of partitions with which Postil creates the topic; an existing topic is not changed. "
        "It limits how many processes of one consumer work at the same time. Defaults to 6.",
    )
    tenant: str = Field(
        "default",
        description="The tenant in which commands write and read, and which the dashboard shows. Defaults to default.",
    )
    data_dir: Path = Field(
        Path(".postil"),
        description="The directory in which the embedded stack keeps its servers' data and its state file. "
        "A relative path belongs to the working directory. Defaults to .postil.",
    )
    audit_dir: Path | None = Field(
        None,
        description="The directory to which the audit consumer writes the audit log. Defaults to DATA_DIR/audit.",
    )
    http_host: str = Field(
        "127.0.0.1",
        description="The address on which the dashboard listens. "
        "Another address than the loopback lets other machines connect. Defaults to 127.0.0.1.",
    )
    http_port: int = Field(
        8400,
        ge=0,
        le=65535,
        description="The TCP port on which the dashboard listens; 0 means a free port. Defaults to 8400.",
    )

    # These checks name the setting at fault. Without them a client would refuse the value in its own terms, or hang.

    @field_validator("data_dir", "audit_dir", "kafka_ssl_ca", mode="before")
    @classmethod
    def _is_named(cls, value: Any) -> Any:
        """Refuse an empty path: it would be the working directory."""
        return _must(value != "", value, "must not be empty")

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: Any) -> Any:
        """Refuse NUL, which no name may contain, and text that is not Unicode."""
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
        matches = [_BROKER.fullmatch(broker.strip()) for broker in (value or "").split(",")]
        fit = not value or all(match and 0 < int(match["port"] or 9092) <= 65535 for match in matches)
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
        """Return the sources in their order: caller, environment, TOML file, running stack."""
        toml = TomlConfigSettingsSource(settings_cls, Path(_config()))
        values: dict[str, Any] = {**toml(), **env_settings(), **init_settings()}
        data_dir = values.get("data_dir")
        if not isinstance(data_dir, (str, Path)) or data_dir == "":  # the validators refuse any other value
            data_dir = ".postil"
        return (init_settings, env_settings, toml, _RunningStack(settings_cls, Path(data_dir)))

    @property
    def audit_path(self) -> Path:
        """The directory of the audit log: `audit_dir`, or ``audit`` under `data_dir`."""
        return self.audit_dir or self.data_dir / "audit"

    def require_database_url(self) -> str:
        """Return the database's URL. Raises `ConfigurationError` if there is none, or it is malformed."""
        if not self.database_url:
            raise ConfigurationError(
                f"No database: POSTIL_DATABASE_URL is not set and no stack runs under {self.data_dir}.",
                advice="Start one with `postil up`, or set POSTIL_DATABASE_URL.",
            )
        from postil.database_url import check_database_url  # noqa: PLC0415 (psycopg: only programs that connect import it)

        return check_database_url(self.database_url)

    def require_kafka(self) -> str:
        """Return Kafka's bootstrap servers. Raises `ConfigurationError` if there are none."""
        if not self.kafka_bootstrap_servers:
            raise ConfigurationError(
                f"No Kafka: POSTIL_KAFKA_BOOTSTRAP_SERVERS is not set and no stack runs under {self.data_dir}.",
                advice="Start one with `postil up`, or set POSTIL_KAFKA_BOOTSTRAP_SERVERS.",
            )
        return self.kafka_bootstrap_servers

    def kafka_client(self) -> dict[str, str]:
        """Return the librdkafka properties with which every client of Postil connects.

        Raises `ConfigurationError` if there is no broker, or the file of the certificates cannot be read.
        """
        if self.kafka_ssl_ca is not None and not os.access(self.kafka_ssl_ca, os.R_OK):
            raise ConfigurationError(
                f"POSTIL_KAFKA_SSL_CA names {self.kafka_ssl_ca}, which cannot be read.",
                advice="Correct the path.",
            )
        properties = {
            "bootstrap.servers": self.require_kafka(),
            "security.protocol": self.kafka_security_protocol,
            # A client that starts before Kafka does connects soon after; by default the pauses grow to 10 s.
            "reconnect.backoff.ms": "50",
            "reconnect.backoff.max.ms": "1000",
        }
        optional = {
            "sasl.mechanism": self.kafka_sasl_mechanism,
            "sasl.username": self.kafka_username,
            "sasl.password": self.kafka_password,
            "ssl.ca.location": self.kafka_ssl_ca and str(self.kafka_ssl_ca),
        }
        return properties | {name: value for name, value in optional.items() if value}


def _must(fit: object, value: T, rule: str) -> T:
    if not fit:
        raise PydanticCustomError("setting", "{rule}", {"rule": rule})
    return value


def _config() -> str:
    return os.environ.get("POSTIL_CONFIG") or "postil.toml"


def _check_config() -> None:
    """Refuse a file that does not exist or is a directory: pydantic would ignore it."""
    file = os.environ.get("POSTIL_CONFIG")
    if not file:
        return
    try:
        is_directory = stat.S_ISDIR(Path(file).stat().st_mode)
    except OSError as error:
        raise ConfigurationError(
            f"POSTIL_CONFIG names {file}, which cannot be read: {error.strerror}.",
            advice="Correct it, or unset it.",
        ) from None
    if is_directory:
        raise ConfigurationError(
            f"POSTIL_CONFIG names {file}, which is a directory.", advice="Name the TOML file in it."
        )


def load_settings(**values: Any) -> Settings:
    """Load the settings from all sources. The `values` given here win, except None.

    Raises `ConfigurationError` with the name of the variable that is wrong.
    """
    _check_config()
    try:
        return Settings(**{name: value for name, value in values.items() if value is not None})
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
