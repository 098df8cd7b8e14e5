"""Recovery before a writer writes: reads the manifest, and finds where it ends and what it covers.

A process or a machine may crash between any two steps. Records are durable before their manifest entry is,
so at worst there are bytes after the last whole entry, and after the last byte that entry covers: a torn tail.
The writer cuts those off, and Kafka delivers them again. A crash cannot cause any other disagreement:
the writer then refuses to continue the log. Nothing here changes a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from postil_consumers.audit.log import manifest
from postil_consumers.audit.log.merkle import Tree, leaf_hash
from postil_consumers.errors import AuditLogDamaged

MANIFEST = "manifest.ndjson"
_TAIL = 65_536  # bytes; the longest entry has less than a tenth of it


@dataclass
class State:
    """Where a log stands: everything here is durable and covered by the manifest.

    `segment` begins with record `first`, is `position` bytes long; `leaves` are the leaf hashes of what was found in it.
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
    prefix_known: bool = True

    @property
    def size(self) -> int:
        """Records in the log."""
        return self.tree.size

    @property
    def segment(self) -> str:
        """The file the next record goes to."""
        return manifest.segment_name(self.first)


def damaged(place: Path, what: str) -> AuditLogDamaged:
    """Return the error with which a writer refuses to continue a log."""
    return AuditLogDamaged(
        f"{place}: {what}",
        advice=f"Nothing was changed. Run `postil audit verify {place.parent}` for every place, keep a copy as evidence, "
        "then restore the directory from a backup, or move it away and let the log be written anew from Kafka.",
    )


def lines(path: Path, begin: int = 0) -> Iterator[tuple[int, bytes]]:
    """Each whole line of a file from a byte on, without its end, and where it begins; a torn last line is left out."""
    with path.open("rb") as file:
        file.seek(begin)
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield begin, line[:-1]
            begin += len(line)


def recover(directory: Path, known: tuple[int, str] = (0, "")) -> State | None:
    """Check the manifest's chain and the open segment. Returns the state of the log, or None if it is not begun yet.

    `known` is a size with the Merkle root that a cache has for it. `prefix_known` states whether this log has that root.
    Raises `AuditLogDamaged` for any disagreement that a crash cannot cause.
    """
    state, commit = _read_manifest(directory / MANIFEST, known)
    if state is None:
        if any(directory.glob("*.ndjson")) and any(f.stat().st_size for f in directory.glob("0*.ndjson")):
            raise damaged(directory / MANIFEST, "there are segments, but no manifest.")
        return None
    if commit is not None:
        _read_segment(directory / state.segment, state, commit)
    return state


def _read_manifest(path: Path, known: tuple[int, str]) -> tuple[State | None, manifest.Commit | None]:
    """The state as the manifest has it, and the last commit to the segment that is still open, if any."""
    state: State | None = None
    commit: manifest.Commit | None = None
    seen = known[0] == 0
    if not path.exists():
        return None, None
    for at, line in lines(path):
        try:
            link = manifest.decode(line)
        except manifest.InvalidEntry as error:
            raise damaged(path, f"the entry at byte {at} is damaged: {error}.") from None
        entry = link.entry
        if state is None:
            if not isinstance(entry, manifest.Open) or link.number or link.prev != manifest.NO_HASH:
                raise damaged(path, "its first entry is not the one a log begins with.")
            if entry.format != manifest.FORMAT:
                raise damaged(path, f"it has format {entry.format!r}, which this version cannot write.")
            state = State(entry, 0, link.hash, at + len(line) + 1)
            continue
        if link.number != state.entry + 1 or link.prev != state.hash:
            raise damaged(path, f"entry {link.number} at byte {at} does not follow entry {state.entry}.")
        state.entry, state.hash, state.manifest_end = link.number, link.hash, at + len(line) + 1
        if isinstance(entry, manifest.Seal):
            state.tree = Tree(entry.size, [bytes.fromhex(node) for node in entry.frontier])
            state.first, state.position, commit = entry.size, 0, None
        elif isinstance(entry, manifest.Commit):
            commit = entry
            state.position = entry.end
            state.next_offset, state.topic_id, state.root = entry.next_offset, entry.topic_id, entry.root
            seen = seen or (entry.size, entry.root) == known
    if state is not None:
        state.prefix_known = seen
    return state, commit


def _read_segment(path: Path, state: State, commit: manifest.Commit) -> None:
    """Grow the tree by the open segment's records, which must give the root the manifest has."""
    leaves: list[bytes] = []
    if path.exists():
        for at, line in lines(path):
            if at >= state.position:
                break
            leaves.append(leaf_hash(line))
    state.tree.extend(leaves)
    if (state.size, state.tree.root().hex()) != (commit.size, commit.root):
        raise damaged(path, f"its records up to byte {state.position} are not those the manifest has.")
    state.leaves = b"".join(leaves)


def last_commit(directory: Path) -> manifest.Commit | None:
    """The newest commit of a log that may be being written, read from the manifest's end; None if there is none."""
    path = directory / MANIFEST
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            tail = file.read().split(b"\n")
    except OSError:
        return None
    for line in reversed(tail):
        try:
            entry = manifest.decode(line).entry
        except manifest.InvalidEntry:
            continue
        if isinstance(entry, manifest.Commit):
            return entry
    return None


def batch_digest(leaves: bytes) -> str:
    """Return the digest that a commit entry has of its records' leaf hashes."""
    return sha256(leaves).hexdigest()
