"""The benchmarks run, and print each figure beside its limit; how large a figure is, no test can say on a noisy machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from postil_stack.servers.postgres import EmbeddedPostgres


def bench(name: str, *options: str, **environment: str) -> dict[str, object]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("POSTIL_")}
    done = subprocess.run(
        [sys.executable, "-m", "postil", "bench", name, "--json", *options],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def test_write_is_measured_beside_the_same_rows_by_hand(postgres_server: EmbeddedPostgres) -> None:
    answer = bench("write", "--rounds", "1", "--seconds", "0.2", POSTIL_DATABASE_URL=postgres_server.url)
    rates = answer["commits_per_second"]
    assert isinstance(rates, dict)
    assert {"function", "pipelined", "pgbench function", "pgbench by hand"} <= set(rates)
    assert all(rate > 0 for rate in rates.values())
    assert set(answer) == {"commits_per_second", "ratio_to_pipelined_psycopg", "ratio_to_pipelined_pgbench"}
