create or replace function postil.start_run(
    tenant text, run_id text, recorded_at timestamptz default null, context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
begin
    return query select * from postil._start_run(tenant, run_id, recorded_at, context);
end
$$;

comment on function postil.start_run(text, text, timestamptz, jsonb) is
$$Starts a pending run.

tenant, run_id: the run.
recorded_at: when it started; defaults to now.
context: {causation_id, traceparent} of the event.

Returns the receipt of the run; created = false if it runs already.

Raises PS001 (no such run), PS002 and PS003 (the run was cancelled or has ended), PS007, PS008, PS012 (no
such tenant), PS017.$$;

create or replace function postil._start_run(
    p_tenant text, p_run_id text, p_recorded_at timestamptz, p_context jsonb)
returns setof postil.receipt
language plpgsql as $$
declare
    r postil.run := postil._lock_run(p_tenant, p_run_id);
    at timestamptz := coalesce(postil._check_time(p_recorded_at, 'recorded_at'), now());
begin
    perform postil._check_context(p_context);
    perform postil._refuse_ended(r);
    if r.status = 'pending' then
        r := postil._set_run_status(r, 'running', 'run:started', at, p_context);
        return query select 'run', r.id, postil._head(r), true;
    else
        return query select 'run', r.id, r.head, false;
    end if;
end
$$;
