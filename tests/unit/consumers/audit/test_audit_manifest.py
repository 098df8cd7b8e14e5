"""An entry of the manifest is read only if it is exactly what the writer writes."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson
import pytest

from postil_consumers.audit.log.manifest import (
    NO_HASH,
    Commit,
    Entry,
    InvalidEntry,
    Open,
    Seal,
    decode,
    encode,
)

HASH = "a" * 64
SEGMENT = "00000000000000000000.ndjson"
OPEN = Open("events", 0, 8)
COMMIT = Commit(SEGMENT, 2, 5, 40, 100, 1, 2, 5, "", HASH, HASH)
SEAL = Seal(SEGMENT, 0, 8, 160, (HASH,))


@pytest.mark.parametrize("entry", [OPEN, COMMIT, SEAL])
def test_an_entry_is_read_as_it_was_written(entry: Entry) -> None:
    """Decoding an encoded entry gives the entry, its number, its hash and the hash before it."""
    line, digest = encode(entry, 3, NO_HASH)

    link = decode(line.removesuffix(b"\n"))

    assert (link.entry, link.number, link.hash, link.prev) == (entry, 3, digest, NO_HASH)


def forged(entry: Entry, **fields: Any) -> bytes:
    """Return the line of an entry with other fields, and with the hash that belongs to them."""
    content = orjson.loads(encode(entry, 3, NO_HASH)[0]) | fields
    del content["hash"]
    canonical = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    content["hash"] = sha256(canonical).hexdigest()
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (forged(OPEN, type="close"), "unknown type"),
        (forged(OPEN, type=[]), "unknown type"),
        (forged(OPEN, segment_records=0), "at least one record"),
        (forged(OPEN, more=1), "attributes are not those of its type"),
        (forged(COMMIT, size=True), "size is not a number"),
        (forged(COMMIT, begin=-1), "begin is not a number"),
        (forged(COMMIT, topic_id=None), "topic_id is not text"),
        (forged(COMMIT, root="A" * 64), "a hash is malformed"),
        (forged(COMMIT, segment="../manifest.ndjson"), "not the name of a segment"),
        (forged(COMMIT, size=2), "covers no record"),
        (forged(COMMIT, size=2**40), "more records than bytes"),
        (forged(SEAL, frontier=7), "frontier is not an array"),
        (forged(SEAL, frontier=[HASH, HASH]), "frontier does not fit size"),
        (b'{"a":' + b"[" * 400 + b"]" * 400 + b"}", "not in canonical form"),
    ],
)
def test_an_entry_that_no_writer_writes_is_invalid(line: bytes, reason: str) -> None:
    """An entry with a right hash, and with fields that no writer writes, raises `InvalidEntry` with the reason."""
    with pytest.raises(InvalidEntry, match=reason):
        decode(line)
