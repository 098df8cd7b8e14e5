"""The entries of the manifest: their fields, their canonical bytes, and the hash chain between them. Pure.

An entry is one line of canonical JSON (RFC 8785: sorted keys, no spaces; all text here is ASCII).
`hash` is the SHA-256 of that line without its hash; `prev` is the hash of the entry before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any, ClassVar, TypeAlias, cast

import orjson

from postil_consumers.audit.log.layout import is_segment_name

FORMAT = "postil-audit/1"
NO_HASH = "0" * 64
"""The first entry has this as the hash of the entry before it."""


class InvalidEntry(ValueError):
    """The line is not an entry, is not in canonical form, or does not match its hash."""


@dataclass(frozen=True, slots=True)
class Open:
    """The first entry: whose log this is, and how many records a full segment holds."""

    type: ClassVar[str] = "open"
    topic: str
    partition: int
    segment_records: int
    format: str = FORMAT


@dataclass(frozen=True, slots=True)
class Commit:
    """Records that became durable together.

    They are numbered `first` up to `size` (not included), and lie in `segment` from byte `begin` to byte `end`.
    `leaves` is the SHA-256 of their leaf hashes in a row, `root` the Merkle root of the whole log up to here.
    `next_offset` is the Kafka offset to read next, in the topic whose id was `topic_id`.
    """

    type: ClassVar[str] = "commit"
    segment: str
    first: int
    size: int
    begin: int
    end: int
    dead_letters: int
    first_offset: int
    next_offset: int
    topic_id: str
    leaves: str
    root: str


@dataclass(frozen=True, slots=True)
class Seal:
    """A segment is full and never changes again; `frontier` holds the complete subtrees of the log up to here."""

    type: ClassVar[str] = "seal"
    segment: str
    first: int
    size: int
    bytes: int
    frontier: tuple[str, ...]


Entry: TypeAlias = Open | Commit | Seal
_TYPES: dict[str, type[Entry]] = {kind.type: kind for kind in (Open, Commit, Seal)}
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Link:
    """An entry in its place in the chain: its number from 0, the hash before it and its own."""

    number: int
    prev: str
    hash: str
    entry: Entry


def leaves_digest(leaves: bytes) -> str:
    """Return the field `leaves` of a commit for the leaf hashes of its records in a row."""
    return sha256(leaves).hexdigest()


def encode(entry: Entry, number: int, prev: str) -> tuple[bytes, str]:
    """Return the entry's line with its line feed, and its hash."""
    content: dict[str, Any] = {field.name: getattr(entry, field.name) for field in fields(entry)}
    content |= {"type": entry.type, "entry": number, "prev": prev}
    digest = sha256(_canonical(content)).hexdigest()
    return _canonical(content | {"hash": digest}) + b"\n", digest


def decode(line: bytes) -> Link:
    """Read one line without its line feed. Raises `InvalidEntry` if any byte differs from what `encode` writes."""
    try:
        parsed: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidEntry(f"not JSON ({error})") from None
    try:
        is_canonical = isinstance(parsed, dict) and _canonical(parsed) == line
    except orjson.JSONEncodeError:  # nested more deeply than orjson writes
        is_canonical = False
    if not is_canonical:
        raise InvalidEntry("not in canonical form")
    content = cast("dict[str, Any]", parsed)
    digest = content.pop("hash", None)
    if sha256(_canonical(content)).hexdigest() != digest:
        raise InvalidEntry("its content does not match its hash")
    number, prev = content.pop("entry", None), content.pop("prev", None)
    kind = _TYPES.get(str(content.pop("type", None)))
    if kind is None or not isinstance(number, int) or not isinstance(prev, str):
        raise InvalidEntry("of an unknown type; a newer version may have written it")
    if isinstance(content.get("frontier"), list):
        content["frontier"] = tuple(content["frontier"])
    try:
        entry = kind(**content)
    except TypeError:
        raise InvalidEntry("its attributes are not those of its type") from None
    _check(entry)
    return Link(number, prev, digest, entry)


def _check(entry: Entry) -> None:
    """Check what an entry with a right hash may still break: types, names of files, and sizes that contradict each other."""
    for field in fields(entry):
        value: object = getattr(entry, field.name)
        if field.type == "int" and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            raise InvalidEntry(f"{field.name} is not a number from 0")
        if field.type == "str" and not isinstance(value, str):
            raise InvalidEntry(f"{field.name} is not text")
        if field.type == "tuple[str, ...]" and not isinstance(value, tuple):
            raise InvalidEntry(f"{field.name} is not an array")
    if isinstance(entry, Open):
        if entry.segment_records < 1:
            raise InvalidEntry("a segment holds at least one record")
        return
    hashes = (entry.leaves, entry.root) if isinstance(entry, Commit) else entry.frontier
    if not all(_HASH.fullmatch(str(node)) for node in hashes):
        raise InvalidEntry("a hash is malformed")
    if not is_segment_name(entry.segment):
        raise InvalidEntry("segment is not the name of a segment")
    if entry.first >= entry.size:
        raise InvalidEntry("it covers no record")
    if isinstance(entry, Commit) and entry.size - entry.first > entry.end - entry.begin:
        raise InvalidEntry("it covers more records than bytes")
    if isinstance(entry, Seal) and len(entry.frontier) != entry.size.bit_count():
        raise InvalidEntry("frontier does not fit size")


def _canonical(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
