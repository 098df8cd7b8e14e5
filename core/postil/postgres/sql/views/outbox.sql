-- The events that the relay has not passed yet, for an operator with plain SQL.
-- The relay has passed the events of a parked run: see postil.parked_run.
create or replace view postil.outbox as
select e.*
from postil.event e
join postil.relay_lane l on l.lane = e.lane
-- Nothing older than the oldest transaction that any cursor waits for: the index on xid finds these.
where e.xid >= (select pg_snapshot_xmin(lo) from postil.relay_lane order by pg_snapshot_xmin(lo) limit 1)
  and not pg_visible_in_snapshot(e.xid, l.lo)
  and (l.hi is null or e.position > l.after or not pg_visible_in_snapshot(e.xid, l.hi));

comment on view postil.outbox is
$$The events that the relay has not published yet, with the columns of postil.event.
It leaves out the rest of a parked run, because the relay has passed it.$$;
