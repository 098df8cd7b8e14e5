"""The lines of a segment: a message's exact bytes, or, for what is no event, a dead letter in its place; pure.

An audit log does not choose what it keeps: a message that cannot be read, an event that forks its run,
one whose predecessors exist nowhere, each is recorded where it arrived, with its reason,
under the same hashes as everything else, and the partition goes on.
"""

from __future__ import annotations

from base64 import b64encode

import orjson

from postil_consumers.runtime.sink import DeadLetter, Partition

_DEAD_LETTER = b'{"deadletter":'


def dead_letter_line(letter: DeadLetter, partition: Partition) -> bytes:
    """A dead letter's line, without its end."""
    said = {
        "topic": partition.topic,
        "partition": partition.number,
        "offset": letter.offset,
        "reason": letter.reason,
        # Base64, for they may be anything.
        "key": None if letter.key is None else b64encode(letter.key).decode(),
        "value": None if letter.value is None else b64encode(letter.value).decode(),
    }
    return orjson.dumps({"deadletter": said})


def is_dead_letter(line: bytes) -> bool:
    """Whether a line is a dead letter; an event never begins so."""
    return line.startswith(_DEAD_LETTER)
