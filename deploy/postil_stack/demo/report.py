"""The report of a review, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from postil_stack.demo.folder import Listing
from postil_stack.demo.judgement import Verdict


def render(folder: str, run_id: str, listing: Listing, verdicts: Sequence[Verdict]) -> str:
    """Return the report. It also lists what was not read."""
    flagged = [verdict for verdict in verdicts if verdict.outcome == "flag"]
    counts = Counter(verdict.rule for verdict in flagged)
    lines = [
        f"# Review of {folder}",
        "",
        f"Run `{run_id}`; who approved this is in its annotations (`approval.*`). No file was changed.",
        "",
        f"* {len(verdicts):,} files read, {sum(verdict.file['bytes'] for verdict in verdicts):,} bytes",
        *(f"* {count:,} {rule}" for rule, count in counts.most_common()),
        *(
            [f"* {listing.beyond_limit:,} files or more were not read: beyond the limit"]
            if listing.beyond_limit
            else []
        ),
        *(
            [f"* not entered or read: {', '.join(_code(name) for name in listing.skipped)}"]
            if listing.skipped
            else []
        ),
        "",
    ]
    for verdict in flagged:
        lines += [f"## {_code(verdict.file['path'])}", "", f"{verdict.rule}: {verdict.rationale}", ""]
    if not flagged:
        lines += ["Nothing was flagged.", ""]
    return "\n".join(lines)


def _code(name: str) -> str:
    """Return a file's name as Markdown code without any markup."""
    return f"`{name.replace('`', chr(0x2019)).replace(chr(10), ' ')}`"
