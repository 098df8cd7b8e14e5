"""`postil bench relay` and `postil bench latency`."""

from __future__ import annotations

from typing import Annotated

import typer


def register(bench: typer.Typer) -> None:
    """Add the commands."""
    bench.command("relay")(relay)
    bench.command("latency")(latency)


def relay(
    events: Annotated[
        int, typer.Option(min=1000, max=10_000_000, help="Events to drain in each round.")
    ] = 300_000,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="Rounds in which both sides take turns.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Measure how fast a backlog reaches Kafka, beside librdkafka with the same bytes."""
    from rich.progress import Progress

    from postil.cli.console import err, out, print_json
    from postil.settings import load_settings
    from postil_relay.bench.drain import measure
    from postil_relay.bench.scene import scene

    with scene(load_settings()) as at, Progress(console=err, transient=True) as bar:
        task = bar.add_task("filling and draining", total=1 + 2 * rounds)
        found = measure(at, events, rounds, lambda: bar.advance(task))
    answer = {
        "events": found.events,
        "bytes_per_event": round(found.bytes / found.events),
        "relay_events_per_second": round(found.rate(found.relay)),
        "librdkafka_events_per_second": round(found.rate(found.librdkafka)),
        "ratio": round(found.ratio, 2),
        "relay_cpu_seconds_per_100k": round(found.cpu(found.relay.cpu), 2),
        "librdkafka_cpu_seconds_per_100k": round(found.cpu(found.librdkafka.cpu), 2),
        "postgres_cpu_seconds_per_100k": round(found.cpu(found.backend_cpu), 2),
        "relay_memory_bytes": found.memory,
    }
    if as_json:
        print_json(answer)
        return
    out.print(f"{found.events:,} events of {answer['bytes_per_event']} bytes, median of {rounds} rounds")
    for name, side, note in (
        (
            "relay",
            found.relay,
            f"aim 1.00 or less; Postgres {found.cpu(found.backend_cpu):.2f}; {found.memory >> 20} MiB",
        ),
        ("librdkafka", found.librdkafka, "produce with callbacks, the same bytes"),
    ):
        out.print(
            f"{name:<12}{found.rate(side):>10,.0f} events/s   {found.cpu(side.cpu):.2f} CPU-s per 100,000   ({note})"
        )
    out.print(f"ratio        {found.ratio:>9.2f}   (aim 0.60 or more)")


def latency(
    rate: Annotated[float, typer.Option(min=1, max=1_000_000, help="Commits per second.")] = 2000,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long to write.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Measure the time from a commit to a consumer, beside one fsync and one direct message."""
    from dataclasses import asdict

    from rich.progress import Progress

    from postil.cli.console import err, out, print_json
    from postil.settings import load_settings
    from postil_relay.bench.latency import measure
    from postil_relay.bench.scene import scene

    with scene(load_settings()) as at, Progress(console=err, transient=True) as bar:
        task = bar.add_task("measuring", total=3)
        found = measure(at, rate, seconds, lambda: bar.advance(task))
    if as_json:
        print_json(asdict(found))
        return
    out.print(f"at {found.rate:,.0f} commits/s, in milliseconds      p50     p99")
    for what, spread in (
        ("commit → consumer (aim 3.0)", found.event),
        ("limit: produce → consumer", found.direct),
        ("limit: one fsync", found.fsync),
    ):
        out.print(f"{what:<36} {spread.p50:>7.2f} {spread.p99:>7.2f}")
