"""Checks the messages of commits: `area: imperative`, at most 72 characters, an empty line, and a body.

python tests/rules/check_commits.py                  # every commit since the rule was made
python tests/rules/check_commits.py --message FILE   # one message, for the hook `commit-msg`
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIRST = "fe312a5"  # the rule holds for the commits after this one
MAX_SUBJECT = 72  # characters
SUBJECT = re.compile(r"[a-z][\w., -]*: [a-z`]\S*(?<!ed)(?<!ing)( .*[^.])?")


def broken_rules(message: str) -> Iterator[str]:
    """Yield what is wrong with a message, whose comment lines were removed."""
    subject, *rest = message.strip().split("\n")
    if len(subject) > MAX_SUBJECT:
        yield f"the subject has {len(subject)} characters, the limit is {MAX_SUBJECT}"
    if not SUBJECT.fullmatch(subject):
        yield "the subject is not of the form `area: imperative`, without a full stop"
    if len(rest) < 2 or rest[0] or not rest[1]:
        yield "after an empty line, a body must state what was seen, why, and the effect"


def git(*arguments: str) -> str:
    """Return the output of a git command in the repository."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def messages() -> Iterator[tuple[str, str]]:
    """Yield the abbreviated hash and the message of each commit since the rule was made.

    A clone without the first commit (a shallow one) has no beginning to count from: only its newest commit is checked.
    """
    known = subprocess.run(["git", "cat-file", "-e", FIRST], cwd=ROOT, capture_output=True, check=False)
    commits = git("rev-list", *([f"{FIRST}..HEAD"] if known.returncode == 0 else ["-1", "HEAD"])).split()
    for commit in commits:
        yield commit[:7], git("show", "--no-patch", "--format=%B", commit)


def main() -> int:
    """Print every broken rule; returns 1 if there are any."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--message", type=Path, help="a file with one message")
    options = parser.parse_args()
    if options.message:
        lines = options.message.read_text("utf-8").splitlines()
        checked = [("message", "\n".join(line for line in lines if not line.startswith("#")))]
    else:
        checked = list(messages())
    broken = [f"{name}: {rule}" for name, message in checked for rule in broken_rules(message)]
    print(*broken, f"check_commits: {len(broken)} broken rules in {len(checked)} messages", sep="\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
