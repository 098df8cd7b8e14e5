"""The statement that reads the state of the pipeline from the database."""

from postil.model.queries import TOTAL_CAP
from postil.model.records import Pipeline
from postil.postgres.statement import Rows, Statement

EXACT_BELOW = 200_000
"""How many events are counted exactly. With more, the planner's estimate is used: a count would scan every event."""

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


def pipeline() -> Statement[Pipeline]:
    """Return the statement for the event log and the relay's positions and leases, of all tenants."""

    def read(rows: Rows) -> Pipeline:
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

    return Statement(_SQL, {}, read)
