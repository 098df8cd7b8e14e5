"""`postil bench`: write, relay and latency."""

from __future__ import annotations

from typing import Annotated

import typer

from postil.cli.console import err, out, print_json

bench_app = typer.Typer(
    help="Measure this machine: each figure with its physical limit.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add `postil bench`."""
    bench_app.command("write")(write)
    bench_app.command("relay")(relay)
    bench_app.command("latency")(latency)
    app.add_typer(bench_app, name="bench")


def write(
    rounds: Annotated[
        int, typer.Option(min=1, max=1000, help="Rounds in which all variants take turns.")
    ] = 5,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="Length of one turn, in seconds.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure annotations per second of one writer. The limit is the same rows written by hand."""
    from rich.progress import Progress
    from rich.table import Table

    from postil.settings import load_settings
    from postil_stack.bench.scratch import scratch_database
    from postil_stack.bench.write import measure

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


def relay(
    events: Annotated[
        int, typer.Option(min=1000, max=10_000_000, help="Events to drain in each round.")
    ] = 300_000,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="Rounds in which both sides take turns.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure how fast a backlog reaches Kafka. The limit is librdkafka with the same bytes."""
    from rich.progress import Progress

    from postil.cli.console import err, out, print_json
    from postil.settings import load_settings
    from postil_stack.bench.drain import measure
    from postil_stack.bench.scene import scene

    with scene(load_settings()) as benchmark, Progress(console=err, transient=True) as bar:
        task = bar.add_task("filling and draining", total=1 + 2 * rounds)
        figures = measure(benchmark, events, rounds, lambda: bar.advance(task))
    document = {
        "events": figures.events,
        "bytes_per_event": round(figures.bytes / figures.events),
        "relay_events_per_second": round(figures.rate(figures.relay)),
        "librdkafka_events_per_second": round(figures.rate(figures.librdkafka)),
        "ratio": round(figures.ratio, 2),
        "relay_cpu_seconds_per_100k": round(figures.cpu(figures.relay.cpu), 2),
        "librdkafka_cpu_seconds_per_100k": round(figures.cpu(figures.librdkafka.cpu), 2),
        "postgres_cpu_seconds_per_100k": round(figures.cpu(figures.backend_cpu), 2),
        "relay_memory_bytes": figures.memory,
    }
    if as_json:
        print_json(document)
        return
    out.print(f"{figures.events:,} events of {document['bytes_per_event']} bytes, median of {rounds} rounds")
    for name, side, note in (
        (
            "relay",
            figures.relay,
            f"aim 1.00 or less; Postgres {figures.cpu(figures.backend_cpu):.2f}; {figures.memory >> 20} MiB",
        ),
        ("librdkafka", figures.librdkafka, "produce with callbacks, the same bytes"),
    ):
        out.print(
            f"{name:<12}{figures.rate(side):>10,.0f} events/s   {figures.cpu(side.cpu):.2f} CPU-s per 100,000   ({note})"
        )
    out.print(f"ratio        {figures.ratio:>9.2f}   (aim 0.60 or more)")


def latency(
    rate: Annotated[float, typer.Option(min=1, max=1_000_000, help="Commits per second.")] = 2000,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long to write.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the time from a commit to a consumer. The limits are one fsync and one direct message."""
    from dataclasses import asdict

    from rich.progress import Progress

    from postil.cli.console import err, out, print_json
    from postil.settings import load_settings
    from postil_stack.bench.latency import measure
    from postil_stack.bench.scene import scene

    with scene(load_settings()) as benchmark, Progress(console=err, transient=True) as bar:
        task = bar.add_task("measuring", total=3)
        figures = measure(benchmark, rate, seconds, lambda: bar.advance(task))
    if as_json:
        print_json(asdict(figures))
        return
    out.print(f"at {figures.rate:,.0f} commits/s, in milliseconds      p50     p99")
    for what, spread in (
        ("commit → consumer (aim 3.0)", figures.event),
        ("limit: produce → consumer", figures.direct),
        ("limit: one fsync", figures.fsync),
    ):
        out.print(f"{what:<36} {spread.p50:>7.2f} {spread.p99:>7.2f}")
