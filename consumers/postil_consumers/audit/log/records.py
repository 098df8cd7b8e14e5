"""The lines of a segment: the exact bytes of an event, or a dead letter in its place. Pure.

An audit log records every message. A message that cannot be read, an event that forks its run, and an event whose
predecessors exist nowhere are recorded as dead letters: in the order in which they arrived, with the reason, and under
the same hashes as the events. The partition continues after them.
"""

from __future__ import annotations

from base64 import b64encode

import orjson

from postil_consumers.runtime.sink import DeadLetter, Partition

_DEAD_LETTER = b'{"deadletter":'


def dead_letter_line(letter: DeadLetter, partition: Partition) -> bytes:
    """Return the line of a dead letter, without its line feed."""
    content = {
        "topic": partition.topic,
        "partition": partition.number,
        "offset": letter.offset,
        "reason": letter.reason,
        # Base64, because they may be any bytes.
        "key": None if letter.key is None else b64encode(letter.key).decode(),
        "value": None if letter.value is None else b64encode(letter.value).decode(),
    }
    return orjson.dumps({"deadletter": content})


def is_dead_letter(line: bytes) -> bool:
    """Return whether a line is a dead letter. An event never begins like one."""
    return line.startswith(_DEAD_LETTER)
