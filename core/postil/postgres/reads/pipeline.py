"""How far the log has travelled, asked of the database in one statement."""

from collections.abc import Sequence

from postil.model.queries import TOTAL_CAP
from postil.model.records import Pipeline
from postil.postgres.reads.runs import Read, Row

# Counting ten million rows for every look at a page would be a load of its own:
# beyond this many the planner's own estimate is shown, and said to be one.
EXACT_BELOW = 200_000

_SQL = f"""
    with estimated as (
        select coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint as events
        from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'postil.event'::regclass
    ), unpublished as (
        select created_at from postil.outbox limit {TOTAL_CAP}
    )
    select
        current_setting('server_version') as server,
        events as estimate,
        case when events < {EXACT_BELOW} then (select count(*) from postil.event) end as exact,
        coalesce((select max(position) from postil.event), 0) as last_position,
        (select count(*) from unpublished) as unpublished,
        (select extract(epoch from clock_timestamp() - min(created_at))::float8
            from unpublished) as oldest_seconds,
        (select count(*) from postil.relay_lane) as lanes,
        (select count(*) from postil.relay_lane where lease_until > clock_timestamp()) as lanes_leased,
        (select coalesce(array_agg(distinct owner), '{{}}') from postil.relay_lane
            where lease_until > clock_timestamp()) as owners,
        (select max(epoch) from postil.relay_lane) as epoch,
        (select extract(epoch from clock_timestamp() - max(updated_at))::float8 from postil.relay_lane
            where epoch > 0) as checkpoint_seconds,
        (select count(*) from postil.parked_run) as parked
    from estimated
"""  # noqa: S608 (constants only)


def pipeline() -> Read[Pipeline]:
    """The database's side of the pipeline, of all tenants: the log, and the relay's cursors and leases."""

    def answer(rows: Sequence[Row]) -> Pipeline:
        row = rows[0]
        return Pipeline(
            server=row["server"],
            events=row["estimate"] if row["exact"] is None else row["exact"],
            events_exact=row["exact"] is not None,
            last_position=row["last_position"],
            unpublished=row["unpublished"],
            oldest_seconds=row["oldest_seconds"],
            lanes=row["lanes"],
            lanes_leased=row["lanes_leased"],
            owners=tuple(row["owners"]),
            epoch=row["epoch"],
            checkpoint_seconds=row["checkpoint_seconds"],
            parked=row["parked"],
        )

    return Read(_SQL, {}, answer)
