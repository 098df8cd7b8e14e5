"""Bad input to `import` and `answer`: the right exit code, the cause, advice, and no trace."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures.refusals import (
    ANSWERED,
    CANCELLED,
    FOREIGN,
    LONG,
    NOT_TEXT,
    OPEN,
    OTHER_TENANT,
    Refusal,
    refusal,
)

pytestmark = pytest.mark.timeout(60)  # a command that hangs does not refuse its input

IMPORT = [
    *(
        refusal("import", file, file, says=(file, *says), code=code)
        for file, code, *says in (
            ("directory.xes", 2, "This is a directory", "Name the files in it"),
            ("nosuch.xes", 2, "There is no such file", "Check the path"),
            ("a_file/x.xes", 2, "Not a directory", "Check the path"),
            ("circle.xes", 2, "Too many levels of symbolic links", "Check the path"),
            ("pipe.xes", 2, "This is not a regular file", "Save its content"),
            ("unknown.txt", 2, "no known suffix", "Name it .xes"),
            ("a_file", 2, "no known suffix", "Name it .xes"),
            ("empty.xes", 1, "line 1, column 1: The file is empty", "Check the file"),
            ("empty.traj", 1, "line 1, column 1: The JSON is broken", "fetch it again"),
            ("cut.xes.gz", 1, "The gzip file ends too early", "Fetch it again"),
            ("nul.traj", 1, "trajectory[0].thought: It contains NUL", "Correct it"),
            ("nul_key.traj", 1, "trajectory[0] (a key): It contains NUL", "Correct it"),
            ("surrogate.traj", 1, "trajectory[0].thought: It contains a lone surrogate", "Correct it"),
            ("nan.traj", 1, "NaN is not JSON", "Correct it"),
            ("infinity.traj", 1, "-Infinity is not JSON", "Correct it"),
            ("beyond.traj", 1, "trajectory[0].x: It is inf", "Correct it"),
            ("digits.traj", 1, "It has an integer of thousands of digits", "Correct it"),
            ("deep.traj", 1, "The JSON is nested too deep", "64 levels"),
            ("sixty_five.traj", 1, "It is nested deeper than 64 levels", "Correct it"),
            ("latin.traj", 1, "The byte 0xe9 is not valid UTF-8", "convert the file"),
            ("utf16.traj", 1, "byte 0: The byte 0xff is not valid UTF-8", "convert the file"),
            ("nul.xes", 1, "The XML is broken", "Correct it"),
            ("reference.xes", 1, "invalid character number", "Correct it"),
            ("encoding.xes", 1, "The encoding cannot be read: unknown encoding: klingon", "Save the file as UTF-8"),
            ("latin.xes", 1, "The byte 0xe9 does not belong to the encoding", "Correct the first line"),
            ("deep.xes", 1, "Tags are nested more than 30 deep", "Check the file"),
            ("integer.xes", 1, "is not an integer", "the other cases are not touched"),
        )
    ),
    refusal("import", "a name of 3,000 characters", f"{LONG}.xes", says=("File name too long", "Check the path")),
    refusal("import", "no file", says="Missing argument 'FILE…'"),
    refusal("import", "an unknown tenant", "ok.xes", "--tenant", "absent", says=("there is no tenant 'absent'", "create_tenant")),
    refusal("import", "--tenant empty", "ok.xes", "--tenant", "", says="there is no tenant ''"),
    refusal("import", "--tenant of 3,000 characters", "ok.xes", "--tenant", LONG, says="there is no tenant 'xxx"),
    refusal("import", "--tenant not text", "ok.xes", "--tenant", NOT_TEXT, says="POSTIL_TENANT: must be UTF-8"),
    refusal("import", "--name not text", "ok.xes", "--name", NOT_TEXT, says="--name must have 1 to 100 printable"),
    refusal("import", "--name of 3,000 characters", "ok.xes", "--name", LONG, says="--name must have 1 to 100 printable"),
    refusal("import", "--timezone empty", "ok.xes", "--timezone", "", says=("There is no time zone ''", "Europe/Rome")),
    refusal("import", "--timezone a path", "ok.xes", "--timezone", "../../etc/passwd", says="There is no time zone"),
    refusal("import", "--timezone of 3,000 characters", "ok.xes", "--timezone", LONG, says="There is no time zone"),
]  # fmt: skip

ANSWER = [
    refusal("answer", "an unknown run", "nosuch", "q", "accept", says=("tenant default has no run 'nosuch'", "Check the id")),
    refusal("answer", "a run of another tenant", FOREIGN, "q", "accept", says="tenant default has no run 'foreign"),
    refusal("answer", "another tenant's run", OPEN, "q", "accept", "--tenant", OTHER_TENANT, says="has no run 'open"),
    refusal("answer", "an unknown question", OPEN, "nosuch", "accept", says=("has no interaction 'nosuch'", "Check the")),
    refusal("answer", "a question answered", ANSWERED, "q", "decline", says=("is resolved already (by ada)", "Read the answer")),
    refusal("answer", "a cancelled run's", CANCELLED, "q", "accept", says=("is cancelled already", "Read the answer")),
    refusal("answer", "an empty run", "", "q", "accept", says="tenant default has no run ''"),
    refusal("answer", "a run of 3,000 characters", LONG, "q", "accept", says="tenant default has no run 'xxx"),
    refusal("answer", "a run that is not text", NOT_TEXT, "q", "accept", says="run_id contains a lone surrogate"),
    refusal("answer", "an empty question", OPEN, "", "accept", says="has no interaction ''"),
    refusal("answer", "a question of 3,000 characters", OPEN, LONG, "accept", says="has no interaction 'xxx"),
    refusal("answer", "a question that is not text", OPEN, NOT_TEXT, "accept", says="interaction_id contains a lone"),
    *(
        refusal("answer", what, OPEN, "q", given, says=says)
        for what, given, says in (
            ("empty", "", 'the answer to an approval is {"outcome"'),
            ("not text", NOT_TEXT, "answer contains a lone surrogate"),
            ("another word", "perhaps", 'the answer to an approval is {"outcome"'),
            ("NaN", "NaN", "answer is nan"),
            ("NaN inside", '{"outcome": NaN}', "answer.outcome is nan"),
            ("infinity", "Infinity", "answer is inf"),
            ("beyond a double", "1e999", "answer is inf"),
            ("400 digits", "9" * 400, "answer is a number beyond the range of a double"),
            ("5,000 digits", "9" * 5000, 'the answer to an approval is {"outcome"'),
            ("NUL", '"\\u0000"', "answer contains NUL"),
            ("NUL in a key", '{"\\u0000": 1}', "answer (a key) contains NUL"),
            ("a lone surrogate", '["\\ud800"]', "answer[0] contains a lone surrogate"),
            ("65 levels", "[" * 65 + "]" * 65, "answer is nested deeper than 64 levels"),
            ("50,000 levels", "[" * 50_000 + "]" * 50_000, "answer is nested deeper than 64 levels"),
            ("100,000 characters", f'"{"x" * 100_000}"', "the limit is 16384"),
        )
    ),
    refusal("answer", "--as empty", OPEN, "q", "accept", "--as", "", says="actor.id must have 1 to 200 characters"),
    refusal("answer", "--as of 3,000 characters", OPEN, "q", "accept", "--as", LONG, says="actor.id must have 1 to 200"),
    refusal("answer", "--as not text", OPEN, "q", "accept", "--as", NOT_TEXT, says="actor.id contains a lone surrogate"),
    refusal("answer", "--note not text", OPEN, "q", "accept", "--note", NOT_TEXT, says="answer.note contains a lone"),
    refusal("answer", "--note of 100,000 characters", OPEN, "q", "accept", "--note", "x" * 100_000, says="the limit is 16384"),
    refusal("answer", "an unknown tenant", OPEN, "q", "accept", "--tenant", "absent", says="there is no tenant 'absent'"),
    refusal("answer", "--tenant empty", OPEN, "q", "accept", "--tenant", "", says="there is no tenant ''"),
    refusal("answer", "--tenant of 3,000 characters", OPEN, "q", "accept", "--tenant", LONG, says="there is no tenant 'xxx"),
    refusal("answer", "nothing", OPEN, "q", says="Missing argument 'accept|decline'"),
]  # fmt: skip

ROWS = [*IMPORT, *ANSWER]


@pytest.mark.parametrize("row", ROWS, ids=[row.case for row in ROWS])
def test_import_and_answer_refuse_bad_input(command: Any, world: Any, row: Refusal) -> None:
    """The answer names the fault and what to do, and neither rows nor files change."""
    before = world.left()
    command(*row.line, **row.environment).assert_refuses(row.code, *row.says)
    assert world.left() == before
