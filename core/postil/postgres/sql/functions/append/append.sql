-- The write protocol. Everything that happens to a run is appended under the lock of the run's row. The
-- holder of the lock draws the next run_seq and then the position, so that both orders agree, and a snapshot
-- that contains a later event of a run contains its earlier events.

-- Append one event of the locked run and return its run_seq.
create or replace function postil._append(
    p_run postil.run, p_type text, p_subject text, p_recorded_at timestamptz, p_data jsonb, p_context jsonb)
returns bigint language plpgsql as $$
declare
    seq bigint;
begin
    update postil.run set head = head + 1 where tenant = p_run.tenant and id = p_run.id
    returning head into seq;
    perform postil._append_events(p_run.tenant, p_context, array[
        row(p_run.lane, p_run.id, seq, p_type, p_subject, p_run.attempt, p_run.root_id, p_recorded_at, p_data)
        ]::postil.new_event[]);
    return seq;
end
$$;

-- Insert events in the order given; the caller holds the locks of their runs and has drawn each run_seq.
-- postil._store_annotations() has the only other insert into postil.event, for speed
-- (docs/decisions/0010-sql-tree.md).
create or replace function postil._append_events(p_tenant text, p_context jsonb, p_events postil.new_event[])
returns void language plpgsql as $$
begin
    insert into postil.event (lane, tenant, run_id, run_seq, type, subject, attempt, root_run,
                              causation_id, traceparent, recorded_at, data)
    select e.lane, p_tenant, e.run_id, e.run_seq, e.type, e.subject, e.attempt, e.root_run,
           p_context ->> 'causation_id', p_context ->> 'traceparent', e.recorded_at, e.data
      from unnest(p_events) as e;
end
$$;

-- The run_seq of the run's last event.
create or replace function postil._head(p_run postil.run)
returns bigint language sql as $$
    select head from postil.run where tenant = p_run.tenant and id = p_run.id
$$;

-- The lane is stored with the run, because a hash function's values may change between versions of
-- PostgreSQL.
create or replace function postil._lane(p_tenant text, p_run_id text)
returns smallint language sql immutable as $$
    select (hashtextextended(p_tenant || '/' || p_run_id, 0) & 63)::smallint
$$;
