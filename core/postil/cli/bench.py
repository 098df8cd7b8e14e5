"""`postil bench write`: how fast one writer records annotations."""

from __future__ import annotations

from typing import Annotated

import typer

from postil.cli import bench_app
from postil.cli.console import err, out, print_json


def register(app: typer.Typer) -> None:  # noqa: ARG001 (every module of commands registers alike)
    """Add the command to ``postil bench``."""
    bench_app.command("write")(write)


def write(
    rounds: Annotated[
        int, typer.Option(min=1, max=1000, help="Rounds in which all variants take turns.")
    ] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="Length of one turn, in seconds.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Measure annotations per second of one writer, beside the same rows written by hand."""
    from rich.progress import Progress
    from rich.table import Table

    from postil.bench.scratch import scratch_database
    from postil.bench.write import measure
    from postil.settings import load_settings

    with scratch_database(load_settings()) as url, Progress(console=err, transient=True) as bar:
        task = bar.add_task("writing", total=(rounds + 1) * 6)
        figures = measure(url, rounds=rounds, seconds=seconds, progress=lambda: bar.advance(task))

    if as_json:
        print_json(
            {
                "commits_per_second": {variant.name: round(variant.median) for variant in figures.variants},
                "ratio_to_pipelined_psycopg": round(figures.ratio, 3),
                "ratio_to_pipelined_pgbench": round(figures.ratio_in_c, 3),
            }
        )
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("one writer, fsync on")
    table.add_column("per second", justify="right")
    table.add_column("min to max", justify="right", style="dim")
    for variant in figures.variants:
        table.add_row(
            variant.what,
            f"{variant.median:,.0f}",
            f"{min(variant.rounds):,.0f} to {max(variant.rounds):,.0f}",
        )
    out.print(table)
    out.print(f"function / pipelined psycopg   {figures.ratio:.2f}   (aim 1.0 or more)")
    out.print(f"function / pipelined pgbench   {figures.ratio_in_c:.2f}   (both in C)")
