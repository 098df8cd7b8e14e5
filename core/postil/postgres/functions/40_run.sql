-- A run's life: created, started, finished or cancelled.

create or replace function postil.create_run(
    tenant text,
    run_id text,
    name text default null,
    input jsonb default null,
    trigger jsonb default null,
    parent_id text default null,
    actor jsonb default null,
    annotations jsonb default '[]',
    metadata jsonb default null,
    status text default 'running',
    replay_of text default null,
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
#variable_conflict use_column
declare
    r postil.run;
    parent postil.run;
    part text;
begin
    perform postil._check_session(create_run.tenant);
    perform postil._check_id(create_run.run_id, 'run_id');
    perform postil._check_id(coalesce(create_run.name, create_run.run_id), 'name');
    perform postil._check_json(create_run.input, 'input');
    perform postil._check_json(create_run.metadata, 'metadata');
    perform postil._check_actor(create_run.actor, 'actor');
    perform postil._check_time(create_run.recorded_at, 'recorded_at');
    perform postil._check_context(create_run.context);
    perform postil._check_annotations(create_run.annotations, 'annotations');
    perform postil._check_trigger(create_run.trigger);
    perform postil._check_id(coalesce(create_run.replay_of, 'none'), 'replay_of');
    if create_run.status is null or create_run.status not in ('pending', 'running') then
        perform postil._refuse('PS017', format('a new run is pending or running, not %L', create_run.status), 'status');
    end if;
    if create_run.parent_id is not null then
        select * into parent from postil.run p where p.tenant = create_run.tenant and p.id = create_run.parent_id;
        if not found then
            perform postil._refuse('PS001', format('tenant %s has no run %L to be the parent', create_run.tenant, create_run.parent_id), 'parent_id');
        end if;
    end if;
    if not exists (select from postil.tenant t where t.id = create_run.tenant) then
        perform postil._refuse('PS012', format('there is no tenant %L', left(create_run.tenant, 80)));
    end if;

    -- Root provenance is copied from the parent's row: no walk over ancestors, and a whole tree can be filtered.
    insert into postil.run (tenant, id, lane, status, name, parent_id, root_id, depth, replay_of,
                            trigger_source, trigger_action, schedule_id, root_source, root_schedule_id,
                            actor_kind, actor_id, actor_version, input, metadata, recorded_at, started_at)
    values (create_run.tenant, create_run.run_id, postil._lane(create_run.tenant, create_run.run_id), create_run.status,
            coalesce(create_run.name, create_run.run_id), create_run.parent_id,
            coalesce(parent.root_id, create_run.run_id), coalesce(parent.depth + 1, 0), create_run.replay_of,
            coalesce(create_run.trigger ->> 'source', 'sdk'), coalesce(create_run.trigger ->> 'action', 'trigger'),
            create_run.trigger ->> 'schedule_id',
            coalesce(parent.root_source, create_run.trigger ->> 'source', 'sdk'),
            case when parent.id is null then create_run.trigger ->> 'schedule_id' else parent.root_schedule_id end,
            create_run.actor ->> 'kind', create_run.actor ->> 'id', create_run.actor ->> 'version',
            create_run.input, create_run.metadata, coalesce(create_run.recorded_at, now()),
            case when create_run.status = 'running' then coalesce(create_run.recorded_at, now()) end)
    on conflict do nothing
    returning * into r;

    if not found then
        r := postil._lock_run(create_run.tenant, create_run.run_id);
        if (r.name, r.parent_id, r.input, r.replay_of, r.trigger_source, r.trigger_action, r.schedule_id)
           is distinct from
           (coalesce(create_run.name, create_run.run_id), create_run.parent_id, create_run.input, create_run.replay_of,
            coalesce(create_run.trigger ->> 'source', 'sdk'), coalesce(create_run.trigger ->> 'action', 'trigger'),
            create_run.trigger ->> 'schedule_id')
        then
            perform postil._refuse('PS011', format('run %s exists with another name, input, parent or trigger', r.id), 'run_id');
        end if;
        return query select 'run', r.id, 1::bigint, false;
        return;
    end if;

    return query select 'run', r.id,
        postil._append(r, 'run:created', 'runs/' || r.id, r.recorded_at, postil._run_data(r, true), create_run.context), true;
    return query select * from postil.annotate(r.tenant, r.id, create_run.annotations, create_run.actor, null, create_run.recorded_at, create_run.context);
end
$$;

-- Stored with the run, because a hash function's values are not promised across versions.
create or replace function postil._lane(tenant text, run_id text)
returns smallint language sql immutable as $$
    select (hashtextextended(tenant || '/' || run_id, 0) & 63)::smallint
$$;

create or replace function postil._check_trigger(trigger jsonb)
returns void language plpgsql immutable as $$
declare
    part text;
begin
    if trigger is null then
        return;
    end if;
    if jsonb_typeof(trigger) <> 'object' then
        perform postil._refuse('PS017', 'trigger must be an object {source, action, schedule_id}', 'trigger');
    end if;
    for part in select jsonb_object_keys(trigger) loop
        if part not in ('source', 'action', 'schedule_id') then
            perform postil._refuse('PS017', format('trigger.%s is no field of a trigger', part), 'trigger.' || part);
        elsif trigger -> part = 'null' then
            continue;
        elsif jsonb_typeof(trigger -> part) <> 'string' or length(trigger ->> part) not between 1 and 200
              or (part <> 'schedule_id' and trigger ->> part !~ '^[a-z][a-z0-9_.-]{0,63}$') then
            perform postil._refuse('PS017', format('trigger.%s is malformed', part), 'trigger.' || part);
        end if;
    end loop;
end
$$;

create or replace function postil.start_run(tenant text, run_id text, recorded_at timestamptz default null, context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
declare
    r postil.run := postil._lock_run(tenant, run_id);
    at timestamptz := coalesce(postil._check_time(start_run.recorded_at, 'recorded_at'), now());
begin
    perform postil._check_context(context);
    perform postil._refuse_ended(r);
    if r.status = 'pending' then
        r := postil._set_run_status(r, 'running', 'run:started', at, context);
        return query select 'run', r.id, postil._head(r), true;
    else
        return query select 'run', r.id, r.head, false;
    end if;
end
$$;

create or replace function postil._head(r postil.run)
returns bigint language sql as $$
    select head from postil.run where tenant = r.tenant and id = r.id
$$;

-- End the locked run: what it still waits for or works on ends with it, each with its event.
create or replace function postil._end_run(r postil.run, to_status text, at timestamptz, ending_actor jsonb, context jsonb)
returns bigint language plpgsql as $$
#variable_conflict use_column
declare
    i postil.interaction;
    s postil.stage;
begin
    for i in
        update postil.interaction
           set status = 'cancelled', ended_at = at,
               actor_kind = ending_actor ->> 'kind', actor_id = ending_actor ->> 'id', actor_version = ending_actor ->> 'version'
         where tenant = r.tenant and run_id = r.id and status = 'pending'
        returning *
    loop
        perform postil._append(r, 'interaction:cancelled', 'interactions/' || i.id, at, postil._interaction_data(i), context);
    end loop;
    for s in
        update postil.stage set status = 'cancelled', ended_at = at
         where tenant = r.tenant and run_id = r.id and attempt = r.attempt and status in ('running', 'suspended')
        returning *
    loop
        perform postil._append(r, 'stage:cancelled', 'stages/' || s.id, at, postil._stage_data(s), context);
    end loop;
    r := postil._set_run_status(r, to_status, 'run:' || to_status, at, context);
    return postil._head(r);
end
$$;

create or replace function postil.finish_run(
    tenant text,
    run_id text,
    status text default 'completed',
    result jsonb default null,
    error jsonb default null,
    actor jsonb default null,
    annotations jsonb default '[]',
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
#variable_conflict use_column
declare
    r postil.run;
    at timestamptz := coalesce(postil._check_time(finish_run.recorded_at, 'recorded_at'), now());
    written postil.receipt[];
begin
    if finish_run.status is null or finish_run.status not in ('completed', 'failed') then
        perform postil._refuse('PS017', format('a run finishes completed or failed, not %L', finish_run.status), 'status');
    end if;
    perform postil._check_json(finish_run.result, 'result');
    perform postil._check_json(finish_run.error, 'error');
    perform postil._check_annotations(finish_run.annotations, 'annotations');
    perform postil._check_context(finish_run.context);
    perform postil._check_actor(finish_run.actor, 'actor');
    r := postil._lock_run(finish_run.tenant, finish_run.run_id);
    if r.status = finish_run.status and r.result is not distinct from finish_run.result and r.error is not distinct from finish_run.error
       and jsonb_array_length(finish_run.annotations) = 0 then
        return query select 'run', r.id, r.head, false;
        return;
    end if;
    perform postil._refuse_ended(r);
    written := array(select a from postil.annotate(
        r.tenant, r.id, finish_run.annotations, finish_run.actor, null, finish_run.recorded_at, finish_run.context) a);
    update postil.run x set result = finish_run.result, error = finish_run.error
     where x.tenant = r.tenant and x.id = r.id returning * into r;
    return query select 'run', r.id, postil._end_run(r, finish_run.status, at, finish_run.actor, finish_run.context), true;
    return query select * from unnest(written);
end
$$;

create or replace function postil.cancel_run(
    tenant text,
    run_id text,
    reason text default null,
    actor jsonb default null,
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
#variable_conflict use_column
declare
    r postil.run;
    at timestamptz := coalesce(postil._check_time(cancel_run.recorded_at, 'recorded_at'), now());
    written postil.receipt[];
begin
    perform postil._check_actor(cancel_run.actor, 'actor');
    perform postil._check_context(cancel_run.context);
    if length(cancel_run.reason) > 2000 then
        perform postil._refuse('PS006', format('reason has %s characters, the limit is 2000', length(cancel_run.reason)), 'reason');
    end if;
    r := postil._lock_run(cancel_run.tenant, cancel_run.run_id);
    if r.status = 'cancelled' then
        return query select 'run', r.id, r.head, false;
        return;
    end if;
    perform postil._refuse_ended(r);
    if cancel_run.reason is not null then
        written := array(select a from postil.annotate(
            r.tenant, r.id, jsonb_build_array(jsonb_build_object('key', 'cancellation.reason', 'value', cancel_run.reason)),
            cancel_run.actor, null, cancel_run.recorded_at, cancel_run.context) a);
    end if;
    return query select 'run', r.id, postil._end_run(r, 'cancelled', at, cancel_run.actor, cancel_run.context), true;
    return query select * from unnest(written);
end
$$;
