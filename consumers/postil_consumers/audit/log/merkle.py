"""The Merkle tree of RFC 6962 (section 2.1), grown leaf by leaf; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_SIZE = 32


def leaf_hash(record: bytes) -> bytes:
    """The hash of one leaf."""
    return sha256(b"\x00" + record).digest()


def leaf_hashes(records: Iterable[bytes]) -> list[bytes]:
    """The hash of each leaf."""
    return [sha256(b"\x00" + record).digest() for record in records]


class Tree:
    """The complete subtrees of a growing log, from which its root at any moment follows.

    Holds one hash per set bit of `size`, however large the log.
    """

    def __init__(self, size: int = 0, frontier: Sequence[bytes] = ()) -> None:
        """Continue an earlier tree, given its `size` and its `frontier`, the largest subtree first."""
        if len(frontier) != size.bit_count():
            raise ValueError(
                f"a tree of {size} leaves has {size.bit_count()} complete subtrees, not {len(frontier)}"
            )
        self.size = size
        self._levels: list[list[bytes]] = [[] for _ in range(size.bit_length())]
        largest_first = iter(frontier)
        for level in reversed(range(size.bit_length())):
            if size >> level & 1:
                self._levels[level].append(next(largest_first))

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Append leaf hashes."""
        self.size += len(leaves)
        level, nodes = 0, list(leaves)
        while nodes:
            if level == len(self._levels):
                self._levels.append([])
            nodes = self._levels[level] + nodes
            paired = len(nodes) & ~1
            self._levels[level] = nodes[paired:]
            nodes = [sha256(b"\x01" + nodes[i] + nodes[i + 1]).digest() for i in range(0, paired, 2)]
            level += 1

    def root(self) -> bytes:
        """The root hash; of an empty log the hash of nothing."""
        root: bytes | None = None
        for level in self._levels:
            if level:
                root = level[0] if root is None else sha256(b"\x01" + level[0] + root).digest()
        return sha256().digest() if root is None else root

    @property
    def frontier(self) -> list[bytes]:
        """The roots of the complete subtrees, the largest first."""
        return [level[0] for level in reversed(self._levels) if level]
