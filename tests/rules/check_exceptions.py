"""Checks that each exception from a linter or type checker states its reason behind it.

    x = eval(text)  # noqa: S307 (the text is a constant of this module)
    y = f(x)  # type: ignore[arg-type]  # f is declared too narrow

Run by ``make lint``; paths given as arguments limit the check.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = r"noqa: [A-Z0-9, ]+|type: ignore\[[^]]+\]|pyright: ignore\[[^]]+\]"
EXCEPTION = re.compile(r"#\s*(noqa|type: ignore|pyright: ignore)\b")
REASON = r"\s*\(.+\)|\s+#\s*(?!noqa|type:|pyright:)\S+"
WITH_REASON = re.compile(rf"#\s*(?:{CODE})(?:\s*#\s*(?:{CODE}))*(?:{REASON})")


def main(paths: list[str]) -> int:
    """Print every exception without a reason; returns 1 if there are any."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *(paths or ["*.py"])],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    broken: list[str] = []
    for name in listed.stdout.splitlines():
        file = ROOT / name
        if not file.is_file() or file.suffix != ".py":
            continue
        with tokenize.open(file) as source:
            broken += [
                f"{name}:{token.start[0]}: {token.string}"
                for token in tokenize.generate_tokens(source.readline)
                if token.type == tokenize.COMMENT
                and EXCEPTION.match(token.string)
                and not WITH_REASON.match(token.string)
            ]
    print(*broken, f"check_exceptions: {len(broken)} exceptions without a reason", sep="\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
