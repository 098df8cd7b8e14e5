"""Checks that no comment, docstring, message or document uses a word that the glossary rules out.

The words are the last table of ``docs/glossary.md``. Run by ``make lint``; paths given as arguments limit the check.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
TEXT = {".md", ".sql", ".ts", ".tsx", ".css", ".toml", ".yml", ".yaml", ".sh", ".service", ""}
SKIPPED = re.compile(
    r"^(LICENSE|docs/glossary\.md|requirements|.*lock|.*/static/|tests/rules/(check_words|test_checks)\.py)"
)


def ruled_out() -> dict[re.Pattern[str], str]:
    """Return the words that are not used, each with what to write."""
    table = GLOSSARY.read_text("utf-8").split("## Words that are not used")[1]
    words: dict[re.Pattern[str], str] = {}
    for line in table.splitlines():
        cells = line.strip("|").split("|")
        for word in re.findall(r"`([^`]+)`", cells[0]) if len(cells) == 2 else ():
            pattern = rf"(?<!there\s)\b{word}\b".replace(" ", r"\s+")  # "there is no …" is plain English
            words[re.compile(pattern, re.IGNORECASE)] = cells[1].strip()
    return words


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the line number and text of every line of a document, or comment and string of a Python file."""
    if file.suffix != ".py":
        yield from enumerate(file.read_text("utf-8").splitlines(), 1)
        return
    prose = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    with tokenize.open(file) as source:
        for token in tokenize.generate_tokens(source.readline):
            if token.type in prose:
                for offset, line in enumerate(token.string.splitlines()):
                    yield token.start[0] + offset, line


def main(paths: list[str]) -> int:
    """Print every use of a word that is ruled out; returns 1 if there are any."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *paths],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    words, found = ruled_out(), 0
    for name in listed.stdout.splitlines():
        file = ROOT / name
        if not file.is_file() or SKIPPED.match(name) or file.suffix not in {".py", *TEXT}:
            continue
        for number, line in texts(file):
            for word, instead in words.items():
                if match := word.search(line):
                    found += 1
                    print(f"{name}:{number}: {match[0]!r} is not used: {instead}\n    {line.strip()[:160]}")
    print(f"check_words: {found} uses of words that the glossary rules out")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
