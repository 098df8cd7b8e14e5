"""The writer of `postil bench latency`, a separate process. It commits at a steady rate and records when each commit returned."""

from __future__ import annotations

import json
import sys
import threading
import time

import psycopg

CONNECTIONS = 4


def main(url: str, rate: float, seconds: float) -> None:
    """Write annotations, then print ``[[run, run_seq, nanoseconds since the epoch], …]``."""
    commits: list[tuple[str, int, int]] = []
    writers = [
        threading.Thread(target=_write, args=(url, number, rate / CONNECTIONS, seconds, commits))
        for number in range(CONNECTIONS)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    json.dump(commits, sys.stdout)


def _write(url: str, number: int, rate: float, seconds: float, commits: list[tuple[str, int, int]]) -> None:
    run = f"latency-{number}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select postil.create_run('default', %s)", [run])
        annotations = json.dumps([{"key": "decision.outcome", "value": "refund"}])
        statement = "select run_seq from postil.annotate('default', %s, %s::jsonb)"
        begin = time.monotonic()
        for turn in range(int(rate * seconds)):
            rest = begin + turn / rate - time.monotonic()
            if rest > 0:
                time.sleep(rest)
            row = connection.execute(statement, [run, annotations], prepare=True).fetchone()
            assert row is not None
            commits.append((run, row[0], time.time_ns()))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
