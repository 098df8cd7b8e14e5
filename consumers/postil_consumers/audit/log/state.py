"""The state of a log: how many records it holds, where its files end, and where its writer continues. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from postil_consumers.audit.log import manifest
from postil_consumers.audit.log.layout import segment_name
from postil_consumers.audit.log.merkle import Tree


@dataclass
class State:
    """Everything here is durable and covered by the manifest.

    `entry` and `hash` are the number and the hash of the last entry, which ends at byte `manifest_end`.
    The open segment begins with record `first` and is `position` bytes long; `leaves` are the leaf hashes of its records.
    `next_offset` is None while the log has no record.
    """

    settings: manifest.Open
    entry: int
    hash: str
    manifest_end: int
    tree: Tree = field(default_factory=Tree)
    first: int = 0
    position: int = 0
    leaves: bytes = b""
    next_offset: int | None = None
    topic_id: str = ""
    root: str = ""
    index_matches: bool = True
    """Whether a commit of this log has the size and the root that the run index was built from."""

    @property
    def size(self) -> int:
        """Records in the log."""
        return self.tree.size

    @property
    def segment(self) -> str:
        """The file of the next record."""
        return segment_name(self.first)
