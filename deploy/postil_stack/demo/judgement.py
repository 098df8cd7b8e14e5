"""Decides about files by their descriptions: pure rules, each with its reason in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from postil_stack.demo.folder import SCANNED, FileDescription

OVERSIZED = 10 * 1024 * 1024
"""A file with more bytes than this is flagged as oversized."""


@dataclass(frozen=True)
class Verdict:
    """The proposal for one file: ``keep`` or ``flag``, the rule, and the reason."""

    file: FileDescription
    outcome: str
    rule: str
    rationale: str
    confidence: float | None = None


def judge(files: Iterable[FileDescription]) -> list[Verdict]:
    """Decide about each file in order. Of files with the same content the first is kept."""
    first: dict[str, str] = {}
    return [_verdict(file, first) for file in files]


def _verdict(file: FileDescription, first: dict[str, str]) -> Verdict:
    size = f"{file['bytes']:,} bytes"
    if reason := file.get("unreadable"):
        return Verdict(
            file, "flag", "unreadable", f"It could not be read ({reason}), so its content is unknown."
        )
    if suspicions := file.get("suspicions"):
        kinds = "; ".join(f"{item['kind']} (line {item['line']})" for item in suspicions)
        # A pattern is not a proof, so no confidence is recorded.
        return Verdict(file, "flag", "secret-looking", f"It contains what looks like {kinds}.")
    digest = file.get("sha256")
    if digest and file["bytes"]:
        original = first.setdefault(digest, file["path"])
        if original != file["path"]:
            why = f"Its {size} are the same as those of {original}: equal SHA-256 {digest[:12]}…."
            return Verdict(file, "flag", "duplicate", why, 1.0)
    if file["bytes"] > OVERSIZED:
        return Verdict(
            file, "flag", "oversized", f"It has {size}; beyond {OVERSIZED:,} bytes a file is oversized.", 1.0
        )
    searched = "" if file["bytes"] <= SCANNED else f" in its first {SCANNED:,} bytes"
    return Verdict(
        file,
        "keep",
        "ordinary",
        f"Readable, {size}, no earlier file with its content, nothing that looks like a secret{searched}.",
    )
