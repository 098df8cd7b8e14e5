"""The errors of the consumers, as one tree. The type of an error states whether a retry may succeed.

PostilError
├── Unavailable               a retry may succeed: the runner retries without limit
│   └── StorageFailed         the audit directory cannot be read or written now (full, read-only, broken)
├── ConfigurationError        an operator must change something: the runner stops, with health red
└── ConsumerError
    ├── AuditLogLocked        another process writes this audit log
    ├── AuditLogUnreadable    the audit log is missing or may not be read
    └── AuditLogDamaged       the files contradict their manifest: nothing is appended until an operator acts
"""

from __future__ import annotations

from typing import ClassVar

from postil.errors import PostilError, Unavailable


class StorageFailed(Unavailable):
    """The audit directory cannot be read or written now. Nothing of the batch counts as written."""


class ConsumerError(PostilError):
    """The base of the other errors between Kafka and a sink."""


class AuditLogLocked(ConsumerError):
    """Another process has the audit log open for writing."""


class AuditLogUnreadable(ConsumerError):
    """The audit log could not be checked: it is missing, or may not be read."""


class AuditLogDamaged(ConsumerError):
    """The files on disk differ from what was written. `postil audit verify` lists every place."""

    exit_code: ClassVar[int] = 1
