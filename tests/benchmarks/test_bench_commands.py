"""The benchmarks print each figure with its limit. No test checks a figure: a shared machine is too noisy."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from postil_stack.servers.postgres import EmbeddedPostgres


def bench(name: str, *options: str, **environment: str) -> dict[str, object]:
    """Run a benchmark and return its JSON report."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("POSTIL_")}
    result = subprocess.run(
        [sys.executable, "-m", "postil", "bench", name, "--json", *options],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert isinstance(report, dict)
    return report


def test_write_is_compared_with_inserts_by_hand(postgres_server: EmbeddedPostgres) -> None:
    """`postil bench write` measures annotations and the same rows inserted by hand, and prints both ratios."""
    report = bench("write", "--rounds", "1", "--seconds", "0.2", POSTIL_DATABASE_URL=postgres_server.url)
    rates = report["commits_per_second"]
    assert isinstance(rates, dict)
    assert {"function", "pipelined", "pgbench function", "pgbench by hand"} <= set(rates)
    assert all(rate > 0 for rate in rates.values())
    assert set(report) == {"commits_per_second", "ratio_to_pipelined_psycopg", "ratio_to_pipelined_pgbench"}
