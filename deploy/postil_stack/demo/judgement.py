"""Decides about files from what was seen of them: pure rules, each with the reason in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from postil_stack.demo.folder import SCANNED, Seen

OVERSIZED = 10 * 1024 * 1024
"""Bytes beyond which a file is flagged as oversized."""


@dataclass(frozen=True)
class Verdict:
    """What is proposed for one file: ``keep`` or ``flag``, under which rule, and why."""

    seen: Seen
    outcome: str
    rule: str
    rationale: str
    confidence: float | None = None


def judge(files: Iterable[Seen]) -> list[Verdict]:
    """Decide about each file, in order; of files with the same content the first is kept."""
    first: dict[str, str] = {}
    return [_verdict(seen, first) for seen in files]


def _verdict(seen: Seen, first: dict[str, str]) -> Verdict:
    size = f"{seen['bytes']:,} bytes"
    if reason := seen.get("unreadable"):
        return Verdict(
            seen, "flag", "unreadable", f"It could not be read ({reason}), so nothing can be said about it."
        )
    if suspicions := seen.get("suspicions"):
        found = "; ".join(f"{item['kind']} (line {item['line']})" for item in suspicions)
        # A pattern is no proof, so no confidence is claimed.
        return Verdict(seen, "flag", "secret-looking", f"It contains what looks like {found}.")
    digest = seen.get("sha256")
    if digest and seen["bytes"]:
        original = first.setdefault(digest, seen["path"])
        if original != seen["path"]:
            why = f"Its {size} are the same as those of {original}: equal SHA-256 {digest[:12]}…."
            return Verdict(seen, "flag", "duplicate", why, 1.0)
    if seen["bytes"] > OVERSIZED:
        return Verdict(
            seen, "flag", "oversized", f"It has {size}; beyond {OVERSIZED:,} bytes a file is oversized.", 1.0
        )
    searched = "" if seen["bytes"] <= SCANNED else f" in its first {SCANNED:,} bytes"
    return Verdict(
        seen,
        "keep",
        "ordinary",
        f"Readable, {size}, no content like it before it, nothing like a secret{searched}.",
    )
