-- The write protocol. Everything that happens to a run is appended here, under the run's row lock:
-- whoever holds it draws the next run_seq and then the position, so that both orders agree,
-- and a snapshot that sees a run's later event sees its earlier ones.

-- Take the run's lock and return its row, or refuse.
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

create or replace function postil._refuse_unknown_run(p_tenant text, p_run_id text)
returns void language plpgsql as $$
begin
    if not exists (select from postil.tenant where id = p_tenant) then
        perform postil._refuse('PS012', format('there is no tenant %L', left(p_tenant, 80)));
    end if;
    perform postil._refuse('PS001', format('tenant %s has no run %L', p_tenant, left(p_run_id, 220)));
end
$$;

create or replace function postil._refuse_ended(r postil.run)
returns void language plpgsql as $$
begin
    if r.status = 'cancelled' then
        perform postil._refuse('PS002', format('run %s was cancelled', r.id));
    elsif r.status in ('completed', 'failed') then
        perform postil._refuse('PS003', format('run %s has ended: %s', r.id, r.status));
    end if;
end
$$;

-- Append one event of the locked run `r`; answers its run_seq.
create or replace function postil._append(
    r postil.run, type text, subject text, recorded_at timestamptz, data jsonb, context jsonb)
returns bigint language plpgsql as $$
declare
    seq bigint;
begin
    update postil.run set head = head + 1 where tenant = r.tenant and id = r.id returning head into seq;
    insert into postil.event (lane, tenant, run_id, run_seq, type, subject, attempt, root_run,
                              causation_id, traceparent, recorded_at, data)
    values (r.lane, r.tenant, r.id, seq, type, subject, r.attempt, r.root_id,
            context ->> 'causation_id', context ->> 'traceparent', recorded_at, data);
    return seq;
end
$$;

create or replace function postil._check_context(context jsonb)
returns void language plpgsql immutable as $$
declare
    part text;
begin
    if context is null then
        return;
    end if;
    if jsonb_typeof(context) <> 'object' then
        perform postil._refuse('PS017', 'context must be an object {causation_id, traceparent}', 'context');
    end if;
    for part in select jsonb_object_keys(context) loop
        if part not in ('causation_id', 'traceparent') then
            perform postil._refuse('PS017', format('context.%s is no field of a context', part), 'context.' || part);
        elsif jsonb_typeof(context -> part) <> 'string' or length(context ->> part) not between 1 and 200 then
            perform postil._refuse('PS017', format('context.%s must be a text of 1 to 200 characters', part), 'context.' || part);
        end if;
    end loop;
    -- https://www.w3.org/TR/trace-context/#traceparent-header
    if context ? 'traceparent' and context ->> 'traceparent' !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' then
        perform postil._refuse('PS017', 'context.traceparent is no W3C trace parent', 'context.traceparent');
    end if;
end
$$;

-- Take the lock of a run that must be alive; a pending run starts with the first thing that happens in it.
create or replace function postil._lock_live_run(p_tenant text, p_run_id text, context jsonb)
returns postil.run language plpgsql as $$
declare
    r postil.run := postil._lock_run(p_tenant, p_run_id);
begin
    perform postil._refuse_ended(r);
    if r.status = 'pending' then
        r := postil._set_run_status(r, 'running', 'run:started', now(), context);
    end if;
    return r;
end
$$;

-- Move the locked run to `to_status` and append the event that says so.
create or replace function postil._set_run_status(
    r postil.run, to_status text, type text, at timestamptz, context jsonb)
returns postil.run language plpgsql as $$
begin
    update postil.run
       set status = to_status,
           started_at = case when to_status = 'running' then coalesce(started_at, at) else started_at end,
           ended_at = case when to_status in ('completed', 'failed', 'cancelled') then at end
     where tenant = r.tenant and id = r.id
    returning * into r;
    perform postil._append(r, type, 'runs/' || r.id, at, postil._run_data(r), context);
    return r;
end
$$;
