"""Measures how fast one writer records annotations. The limit is the same rows written by hand.

By hand means what a careful user would do without Postil: the same rows in one transaction,
sent as one pipelined batch, from Python (psycopg) and from C (pgbench).
All variants take turns in short rounds, so that noise of the machine affects each of them.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import psycopg
from sqlalchemy import create_engine

from postil.client.handles import Postil
from postil.errors import Unavailable
from postil.model.actors import agent
from postil.model.conventions import Decision
from postil.postgres.url import sqlalchemy_url
from postil_stack.servers.postgres import program

TENANT, RUN = "default", "bench"
DECISION = Decision(outcome="refund")
ACTOR = agent("triage", version="2.1")

_FUNCTION = (
    "select * from postil.annotate(%(tenant)s, %(run)s, %(annotations)s::jsonb, actor => %(actor)s::jsonb)"
)
_ANNOTATION = '{"key": "decision.outcome", "value": "refund"}'
_CALL = {
    "tenant": TENANT,
    "run": RUN,
    "annotations": f"[{_ANNOTATION}]",
    "actor": json.dumps(ACTOR.as_json()),
}

# The same rows, one by one, as a careful user writes them. Each statement finds the number of the first one by primary key.
# (The event repeats the annotation's values. Reading them from its row would make this side slower.)
_BY_HAND = (
    "update postil.run set head = head + 1 where tenant = %(tenant)s and id = %(run)s",
    """
insert into postil.annotation (id, tenant, run_id, run_seq, attempt, group_id, scope, actor_kind, actor_id, actor_version,
                               key, value, recorded_at)
select %(id)s, tenant, id, head, attempt, %(id)s, 'run', %(kind)s, %(actor)s, %(version)s, %(key)s, %(value)s::jsonb, now()
  from postil.run where tenant = %(tenant)s and id = %(run)s
returning id, run_seq
""",
    """
insert into postil.event (lane, tenant, run_id, run_seq, type, subject, attempt, root_run, recorded_at, data)
select lane, tenant, id, head, 'annotation:created', 'annotations/' || %(id)s::uuid, attempt, root_id, now(),
       jsonb_build_object('id', %(id)s::uuid, 'key', %(key)s::text, 'value', %(value)s::jsonb, 'payload', null,
           'actor', jsonb_build_object('kind', %(kind)s::text, 'id', %(actor)s::text, 'version', %(version)s::text),
           'scope', 'run', 'scope_id', null, 'stage_id', null, 'attempt', attempt, 'try', null,
           'group_id', %(id)s::uuid, 'idempotency_key', null)
  from postil.run where tenant = %(tenant)s and id = %(run)s
""",
)
_VALUES = {
    "tenant": TENANT,
    "run": RUN,
    "kind": ACTOR.kind,
    "actor": ACTOR.id,
    "version": ACTOR.version,
    "key": "decision.outcome",
    "value": '"refund"',
}


@dataclass
class Variant:
    """One way to write, and the commits per second it reached in each round."""

    name: str
    what: str
    rounds: list[float] = field(default_factory=list[float])

    @property
    def median(self) -> float:
        """The median round, in commits per second."""
        return statistics.median(self.rounds)


@dataclass
class WriteFigures:
    """All variants. A ratio is the median of the rounds' ratios, because both sides of a round have the same noise."""

    function: Variant
    pipelined: Variant
    sqlalchemy: Variant
    pgbench_function: Variant
    pgbench_by_hand: Variant
    batch: Variant

    @property
    def variants(self) -> tuple[Variant, ...]:
        """All variants, in the order of their turns."""
        return (
            self.function,
            self.pipelined,
            self.sqlalchemy,
            self.pgbench_function,
            self.pgbench_by_hand,
            self.batch,
        )

    @property
    def ratio(self) -> float:
        """The function divided by three pipelined statements, both through psycopg."""
        return _ratio(self.function, self.pipelined)

    @property
    def ratio_in_c(self) -> float:
        """The function divided by three pipelined statements, both through pgbench."""
        return _ratio(self.pgbench_function, self.pgbench_by_hand)


def _ratio(one: Variant, other: Variant) -> float:
    return statistics.median(a / b for a, b in zip(one.rounds, other.rounds, strict=True))


def measure(url: str, *, rounds: int, seconds: float, progress: Callable[[], None]) -> WriteFigures:
    """Let each variant write for `seconds` in each of `rounds`. `progress` is called after each turn."""
    Postil(url).create_run(RUN)
    figures = WriteFigures(
        Variant("function", "postil.annotate(…), psycopg, one round trip"),
        Variant("pipelined", "the same rows by hand, psycopg pipeline"),
        Variant("sqlalchemy", "Postil.on(connection).annotate(…), begin and commit by SQLAlchemy"),
        Variant("pgbench function", "postil.annotate(…), pgbench"),
        Variant("pgbench by hand", "the same rows by hand, pgbench pipeline"),
        Variant("batch of 100", "100 annotations in one postil.annotate(…), annotations per second"),
    )
    with ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(url, autocommit=True))
        engine = create_engine(sqlalchemy_url(url))
        stack.callback(engine.dispose)
        handle = Postil(engine)
        scripts = stack.enter_context(_scripts())

        def function() -> None:
            connection.execute(_FUNCTION, _CALL, prepare=True).fetchall()

        def pipelined() -> None:
            values = _VALUES | {"id": uuid4()}
            with connection.pipeline():
                connection.execute("begin", prepare=True)
                _, inserted, _ = [
                    connection.execute(statement, values, prepare=True) for statement in _BY_HAND
                ]
                connection.execute("commit", prepare=True)
                inserted.fetchall()

        def through_sqlalchemy() -> None:
            with engine.begin() as transaction:
                handle.on(transaction).annotate(RUN, DECISION, actor=ACTOR)

        hundred = _CALL | {"annotations": f"[{','.join([_ANNOTATION] * 100)}]"}

        def batch() -> None:
            connection.execute(_FUNCTION, hundred, prepare=True).fetchall()

        turns: list[Callable[[], float]] = [
            lambda: _timed(function, seconds),
            lambda: _timed(pipelined, seconds),
            lambda: _timed(through_sqlalchemy, seconds),
            lambda: _pgbench(url, scripts / "function.sql", seconds),
            lambda: _pgbench(url, scripts / "by_hand.sql", seconds),
            lambda: 100 * _timed(batch, seconds),
        ]
        for turn in turns:  # one turn each, not counted, to warm caches and plans
            turn()
            progress()
        for _ in range(rounds):
            for variant, turn in zip(figures.variants, turns, strict=True):
                variant.rounds.append(turn())
                progress()
    return figures


def _timed(work: Callable[[], None], seconds: float) -> float:
    calls, started = 0, time.perf_counter()
    while (now := time.perf_counter()) < started + seconds:
        work()
        calls += 1
    return calls / (now - started)


@contextmanager
def _scripts() -> Generator[Path]:
    with tempfile.TemporaryDirectory(prefix="postil-bench-") as directory:
        folder = Path(directory)
        (folder / "function.sql").write_text(_script(_FUNCTION, _CALL))
        values = _VALUES | {"id": "postil.uuidv7()"}
        by_hand = "".join(_script(statement, values) for statement in ("begin", *_BY_HAND, "commit"))
        (folder / "by_hand.sql").write_text(f"\\startpipeline\n{by_hand}\\endpipeline\n")
        yield folder


def _script(statement: str, values: Mapping[str, object]) -> str:
    literals = {name: str(value) if name == "id" else f"'{value}'" for name, value in values.items()}
    # pgbench would replace `:created`, which looks like one of its variables.
    return (
        " ".join((statement % literals).split()).replace("n:created'", "n' || chr(58) || 'created'") + ";\n"
    )


def _pgbench(url: str, script: Path, seconds: float) -> float:
    options = ["-n", "-M", "prepared", "-c", "1", "-T", str(max(1, round(seconds))), "-f", str(script)]
    command = [str(program("pgbench")), *options, url]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own command, no shell)
    rate = re.search(r"tps = ([0-9.]+) \(without", result.stdout)
    if result.returncode or not rate:
        raise Unavailable(
            f"pgbench failed: {result.stderr.strip()[-300:]}", advice="Run it by hand to see why."
        )
    return float(rate[1])
