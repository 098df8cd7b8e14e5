"""Draws places in the code at random, to try whether a newcomer knows the folder of each within ten seconds.

    python tests/rules/draw_places.py --seed 7 > places.txt     # the places, without their paths
    python tests/rules/draw_places.py --seed 7 --key            # their folders

A reader who knows only CONTRIBUTING.md writes down the folder of each place. The list is then compared with the key.
Lines that import the project's own modules are not shown, because they would give the folder away.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("core", "outbox_relay", "consumers", "deploy", "tests")
SHOWN = 14  # lines of each place
OWN_IMPORT = re.compile(r"^\s*(from|import)\s+(postil|fixtures|\.|\"\.)|from \"\.")


def places(seed: int, count: int) -> list[tuple[Path, int]]:
    """Return files and line numbers. A file's chance is proportional to its number of lines."""
    listed = subprocess.run(
        ["git", "ls-files", *SOURCES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = [
        (Path(name), number)
        for name in listed.stdout.splitlines()
        if name.endswith((".py", ".sql", ".ts", ".tsx", ".css"))
        for number in range(len((ROOT / name).read_text("utf-8").splitlines()))
    ]
    return random.Random(seed).sample(lines, count)


def excerpt(file: Path, number: int) -> str:
    """Return the lines around a line, without imports of the project's own modules."""
    lines = (ROOT / file).read_text("utf-8").splitlines()
    first = max(0, min(number - SHOWN // 2, len(lines) - SHOWN))
    return "\n".join(line for line in lines[first : first + SHOWN] if not OWN_IMPORT.search(line))


def main() -> None:
    """Print the places, or the key."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--key", action="store_true", help="print the folders instead of the places")
    options = parser.parse_args()
    for position, (file, number) in enumerate(places(options.seed, options.count), 1):
        if options.key:
            print(f"{position:>3}  {file.parent}  ({file.name}:{number + 1})")
        else:
            print(f"--- {position} ({file.suffix[1:]})\n{excerpt(file, number)}\n")


if __name__ == "__main__":
    main()
