"""Reads a manifest from its file: the whole chain, each link checked, or only its newest commit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from postil_consumers.audit.log import manifest
from postil_consumers.audit.log.failures import damaged
from postil_consumers.audit.log.layout import MANIFEST, whole_lines

_TAIL_BYTES = 65_536
"""Bytes read from the end of a manifest: the longest entry has less than a tenth of it."""


class PlacedLink(NamedTuple):
    """A link of the chain, and the byte of the manifest after its line."""

    link: manifest.Link
    end: int


def read_links(path: Path) -> Iterator[PlacedLink]:
    """Yield the links of a manifest in order, the opening entry first. A torn last line is left out.

    Raises `AuditLogDamaged` at the first entry that is not valid or does not follow the one before.
    """
    before: manifest.Link | None = None
    for begin, line in whole_lines(path):
        try:
            link = manifest.decode(line)
        except manifest.InvalidEntry as error:
            raise damaged(path, f"the entry at byte {begin} is damaged: {error}.") from None
        if before is None:
            _check_opening(path, link)
        elif link.number != before.number + 1 or link.prev != before.hash:
            raise damaged(path, f"entry {link.number} at byte {begin} does not follow entry {before.number}.")
        yield PlacedLink(link, begin + len(line) + 1)
        before = link


def _check_opening(path: Path, link: manifest.Link) -> None:
    entry = link.entry
    if not isinstance(entry, manifest.Open) or link.number or link.prev != manifest.NO_HASH:
        raise damaged(path, "its first entry is not the one a log begins with.")
    if entry.format != manifest.FORMAT:
        raise damaged(path, f"it has format {entry.format!r}, which this version cannot write.")


def last_commit(directory: Path) -> manifest.Commit | None:
    """Return the newest commit of a log, or None if there is none. A writer may be writing the log meanwhile.

    Reads only the end of the manifest, and does not check the chain.
    """
    path = directory / MANIFEST
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            lines = file.read().split(b"\n")
    except OSError:
        return None
    for line in reversed(lines):
        try:
            entry = manifest.decode(line).entry
        except manifest.InvalidEntry:
            continue
        if isinstance(entry, manifest.Commit):
            return entry
    return None
