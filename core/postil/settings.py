"""Every setting Postil has, in one typed place.

A value comes from the first of: the caller, a ``POSTIL_*`` environment variable,
the TOML file named by ``POSTIL_CONFIG``, the stack running under ``data_dir`` (its ``stack.json``), the default here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast

from pydantic import Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from postil.errors import ConfigurationError

STACK_FILE = "stack.json"
"""The running stack's own record, under its data directory."""


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
    kafka_partitions: int = Field(6, ge=1, description="Partitions of the topic, when Postil creates it")
    tenant: str = Field("default", description="Tenant the commands work in")
    data_dir: Path = Field(Path(".postil"), description="Where the embedded stack keeps its data")
    audit_dir: Path | None = Field(
        None, description="Where the audit log is written (default: DATA_DIR/audit)"
    )
    http_host: str = Field("127.0.0.1", description="Address the dashboard listens on")
    http_port: int = Field(8400, ge=0, le=65535, description="Port the dashboard listens on")

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
        toml = TomlConfigSettingsSource(settings_cls, Path(os.environ.get("POSTIL_CONFIG") or "postil.toml"))
        known: dict[str, Any] = {**toml(), **env_settings(), **init_settings()}
        return (
            init_settings,
            env_settings,
            toml,
            _RunningStack(settings_cls, Path(known.get("data_dir") or ".postil")),
        )

    @property
    def audit_path(self) -> Path:
        """Where the audit log is."""
        return self.audit_dir or self.data_dir / "audit"

    def require_database_url(self) -> str:
        """The database's URL, or `ConfigurationError` where none is known."""
        if not self.database_url:
            raise ConfigurationError(
                f"No database: POSTIL_DATABASE_URL is not set and no stack runs under {self.data_dir}.",
                advice="Start one with `postil up`, or set POSTIL_DATABASE_URL.",
            )
        return self.database_url

    def require_kafka(self) -> str:
        """Kafka's bootstrap servers, or `ConfigurationError` where none are known."""
        if not self.kafka_bootstrap_servers:
            raise ConfigurationError(
                f"No Kafka: POSTIL_KAFKA_BOOTSTRAP_SERVERS is not set and no stack runs under {self.data_dir}.",
                advice="Start one with `postil up`, or set POSTIL_KAFKA_BOOTSTRAP_SERVERS.",
            )
        return self.kafka_bootstrap_servers

    def kafka_client(self) -> dict[str, str]:
        """The librdkafka properties every client of ours connects with."""
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


def load_settings(**given: Any) -> Settings:
    """Gather the settings; what is `given` (and not None) wins.

    Raises `ConfigurationError` naming the variable that is wrong.
    """
    config = os.environ.get("POSTIL_CONFIG")
    if config and not Path(config).exists():
        raise ConfigurationError(
            f"POSTIL_CONFIG names {config}, which does not exist.", advice="Correct it, or unset it."
        )
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        wrong = "; ".join(
            f"POSTIL_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}"
            for e in error.errors(include_input=False)
        )
        raise ConfigurationError(
            f"Settings are wrong. {wrong}", advice="Correct the environment or the TOML file."
        ) from None
    except (ValueError, OSError) as error:  # an unreadable or malformed TOML file
        raise ConfigurationError(
            f"The settings file cannot be read: {error}", advice="Correct POSTIL_CONFIG."
        ) from None
