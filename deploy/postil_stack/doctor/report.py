"""The findings of `postil doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "bad", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One line of the report. `bad` needs action, `note` may need it, `unknown` could not be checked."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""
