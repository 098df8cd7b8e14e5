"""Recovery before a writer writes: finds where the manifest ends, and which records it covers.

A process or a machine may crash between any two steps. Records are durable before their manifest entry is,
so at worst there are bytes after the last whole entry, and after the last byte that entry covers: a torn tail.
The writer cuts those off, and Kafka delivers them again. A crash cannot cause any other disagreement:
the writer then refuses to continue the log. Nothing here changes a file.
"""

from __future__ import annotations

from pathlib import Path

from postil_consumers.audit.log import manifest
from postil_consumers.audit.log.failures import damaged
from postil_consumers.audit.log.layout import MANIFEST, segment_files, whole_lines
from postil_consumers.audit.log.manifest_reader import read_links
from postil_consumers.audit.log.merkle import Tree, leaf_hash
from postil_consumers.audit.log.state import State


def recover(directory: Path, indexed: tuple[int, str] = (0, "")) -> State | None:
    """Check the manifest's chain and the open segment. Returns the state of the log, or None if it is not begun yet.

    `indexed` is the size that the run index was built from, with its Merkle root; see `State.index_matches`.
    Raises `AuditLogDamaged` for any disagreement that a crash cannot cause.
    """
    state, commit = _read_manifest(directory / MANIFEST, indexed)
    if state is None:
        if any(file.stat().st_size for file in segment_files(directory)):
            raise damaged(directory / MANIFEST, "there are segments, but no manifest.")
        return None
    if commit is not None:
        _read_segment(directory / state.segment, state, commit)
    return state


def _read_manifest(path: Path, indexed: tuple[int, str]) -> tuple[State | None, manifest.Commit | None]:
    """Return the state that the manifest gives, and the last commit to the segment that is still open, if any."""
    state: State | None = None
    commit: manifest.Commit | None = None
    if not path.exists():
        return None, None
    for link, end in read_links(path):
        entry = link.entry
        if state is None:
            assert isinstance(entry, manifest.Open)  # `read_links` begins with it
            state = State(entry, link.number, link.hash, end, index_matches=indexed[0] == 0)
            continue
        state.entry, state.hash, state.manifest_end = link.number, link.hash, end
        if isinstance(entry, manifest.Seal):
            state.tree = Tree(entry.size, [bytes.fromhex(node) for node in entry.frontier])
            state.first, state.position, commit = entry.size, 0, None
        elif isinstance(entry, manifest.Commit):
            commit = entry
            state.position = entry.end
            state.next_offset, state.topic_id, state.root = entry.next_offset, entry.topic_id, entry.root
            state.index_matches = state.index_matches or (entry.size, entry.root) == indexed
    return state, commit


def _read_segment(path: Path, state: State, commit: manifest.Commit) -> None:
    """Extend the tree by the open segment's records, which must give the root of the commit."""
    leaves: list[bytes] = []
    if path.exists():
        for begin, line in whole_lines(path):
            if begin >= state.position:
                break
            leaves.append(leaf_hash(line))
    state.tree.extend(leaves)
    if (state.size, state.tree.root().hex()) != (commit.size, commit.root):
        raise damaged(path, f"its records up to byte {state.position} are not those the manifest has.")
    state.leaves = b"".join(leaves)
