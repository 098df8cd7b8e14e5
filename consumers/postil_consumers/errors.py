"""The errors of the consumers, as one tree; whether to try again is a type, never a string.

PostilError
├── Unavailable
│   └── Transient             goes away by itself: the runner retries for ever
│       └── StorageFailed     the audit directory cannot be written now (full, read-only, broken)
├── ConfigurationError
│   └── Misconfigured         a person must change something: the sink stops, health red
└── ConsumerError
    ├── AuditLogLocked        another process writes this audit log
    └── AuditLogDamaged       the files contradict their manifest: nothing is appended until a person has looked
"""

from __future__ import annotations

from typing import ClassVar

from postil.errors import ConfigurationError, PostilError, Unavailable


class Transient(Unavailable):
    """It failed now and may work later; whoever catches it tries again, with backoff."""


class StorageFailed(Transient):
    """The audit directory cannot be written now; nothing of the batch counts as written."""


class Misconfigured(ConfigurationError):
    """It will not work until somebody changes a setting, a permission or a file."""


class ConsumerError(PostilError):
    """What went wrong between Kafka and a sink."""


class AuditLogLocked(ConsumerError):
    """Another process holds the audit log open for writing."""


class AuditLogUnreadable(ConsumerError):
    """The log could not be checked: it is not there, or may not be read."""


class AuditLogDamaged(ConsumerError):
    """What is on disk is not what was written: run `postil audit verify` for every place."""

    exit_code: ClassVar[int] = 1
