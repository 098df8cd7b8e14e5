-- The state of the relay, in one row. `unpublished` is counted up to 100,000.
create or replace view postil.relay_status as
select (select count(*) from postil.relay_lane where lease_until > clock_timestamp()) as lanes_owned,
       (select array_agg(distinct owner) from postil.relay_lane
        where lease_until > clock_timestamp()) as owners,
       (select max(epoch) from postil.relay_lane) as epoch,
       (select max(updated_at) from postil.relay_lane) as moved_at,
       backlog.unpublished,
       backlog.oldest as oldest_unpublished,
       (select count(*) from postil.parked_run) as parked_runs
from (select count(*) as unpublished, min(created_at) as oldest
      from (select created_at from postil.outbox limit 100000) as capped) as backlog;

comment on view postil.relay_status is
$$The state of the relay, in one row. The column unpublished stops at 100,000; owners has the names of the
relays; moved_at is the last time at which a relay saved its position.$$;
