-- The run's lock, and the changes of its status.

-- Take the lock of the run and return its row, or refuse.
create or replace function postil._lock_run(p_tenant text, p_run_id text)
returns postil.run language plpgsql as $$
declare
    r postil.run;
begin
    perform postil._check_session(p_tenant);
    select * into r from postil.run where tenant = p_tenant and id = p_run_id for no key update;
    if not found then
        perform postil._refuse_unknown_run(p_tenant, p_run_id);
    end if;
    return r;
end
$$;

-- Take the lock of a run that has not ended. A pending run starts with the first thing that happens in it.
create or replace function postil._lock_live_run(p_tenant text, p_run_id text, p_context jsonb)
returns postil.run language plpgsql as $$
declare
    r postil.run := postil._lock_run(p_tenant, p_run_id);
begin
    perform postil._refuse_ended(r);
    if r.status = 'pending' then
        r := postil._set_run_status(r, 'running', 'run:started', now(), p_context);
    end if;
    return r;
end
$$;

-- Change the status of the locked run and append the event of the change.
create or replace function postil._set_run_status(
    p_run postil.run, p_status text, p_type text, p_at timestamptz, p_context jsonb)
returns postil.run language plpgsql as $$
declare
    r postil.run;
begin
    update postil.run
       set status = p_status,
           started_at = case when p_status = 'running' then coalesce(started_at, p_at) else started_at end,
           ended_at = case when p_status in ('completed', 'failed', 'cancelled') then p_at end
     where tenant = p_run.tenant and id = p_run.id
    returning * into r;
    perform postil._append(r, p_type, 'runs/' || r.id, p_at, postil._run_data(r), p_context);
    return r;
end
$$;
