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
begin
    return query select * from postil._create_run(
        tenant, run_id, coalesce(name, run_id), input, trigger, parent_id, actor, annotations, metadata,
        status, replay_of, recorded_at, context);
end
$$;

comment on function postil.create_run(
    text, text, text, jsonb, jsonb, text, jsonb, jsonb, jsonb, text, text, timestamptz, jsonb) is
$$Creates a run, with annotations.

tenant, run_id: the run's identity; run_id is the host system's own id.
name: defaults to run_id.
input, metadata: any JSON.
trigger: {source, action, schedule_id} of what started the run; defaults to source sdk and action trigger.
parent_id: the run that started this one. The new run takes the root of its parent.
actor: {kind, id, version} of who started the run.
annotations: as in annotate.
status: running (the default) or pending.
replay_of: id of the run that this one repeats.
recorded_at: when the run was created; defaults to now.
context: {causation_id, traceparent} of the events.

Returns the receipt of the run, then a receipt for each annotation. If the run exists with the same name,
input, trigger, parent_id and replay_of, it returns created = false and stores nothing, also none of the
annotations.

Raises PS001 (no such parent), PS004 (two values under one idempotency_key), PS005 and PS006 (malformed or
too large annotation or JSON), PS007, PS008, PS009 (an annotation names a stage), PS011 (the id is another
run's), PS012 (no such tenant), PS017.$$;

create or replace function postil._create_run(
    p_tenant text, p_run_id text, p_name text, p_input jsonb, p_trigger jsonb, p_parent_id text,
    p_actor jsonb, p_annotations jsonb, p_metadata jsonb, p_status text, p_replay_of text,
    p_recorded_at timestamptz, p_context jsonb)
returns setof postil.receipt
language plpgsql as $$
declare
    r postil.run;
    parent postil.run;
begin
    perform postil._check_session(p_tenant);
    perform postil._check_id(p_run_id, 'run_id');
    perform postil._check_id(p_name, 'name');
    perform postil._check_json(p_input, 'input');
    perform postil._check_json(p_metadata, 'metadata');
    perform postil._check_actor(p_actor, 'actor');
    perform postil._check_time(p_recorded_at, 'recorded_at');
    perform postil._check_context(p_context);
    perform postil._check_annotations(p_annotations, 'annotations');
    perform postil._check_trigger(p_trigger);
    perform postil._check_id(coalesce(p_replay_of, 'none'), 'replay_of');
    if p_status is null or p_status not in ('pending', 'running') then
        perform postil._refuse(
            'PS017', format('a new run is pending or running, not %L', p_status), 'status');
    end if;
    if p_parent_id is not null then
        select * into parent from postil.run p where p.tenant = p_tenant and p.id = p_parent_id;
        if not found then
            perform postil._refuse(
                'PS001', format('tenant %s has no run %L to be the parent', p_tenant, p_parent_id),
                'parent_id');
        end if;
    end if;
    perform postil._check_tenant(p_tenant);

    -- The root is copied from the parent's row: there is no walk over ancestors, and a whole tree can be
    -- filtered.
    insert into postil.run (tenant, id, lane, status, name, parent_id, root_id, depth, replay_of,
                            trigger_source, trigger_action, schedule_id, root_source, root_schedule_id,
                            actor_kind, actor_id, actor_version, input, metadata, recorded_at, started_at)
    values (p_tenant, p_run_id, postil._lane(p_tenant, p_run_id), p_status, p_name, p_parent_id,
            coalesce(parent.root_id, p_run_id), coalesce(parent.depth + 1, 0), p_replay_of,
            coalesce(p_trigger ->> 'source', 'sdk'), coalesce(p_trigger ->> 'action', 'trigger'),
            p_trigger ->> 'schedule_id',
            coalesce(parent.root_source, p_trigger ->> 'source', 'sdk'),
            case when parent.id is null then p_trigger ->> 'schedule_id' else parent.root_schedule_id end,
            p_actor ->> 'kind', p_actor ->> 'id', p_actor ->> 'version',
            p_input, p_metadata, coalesce(p_recorded_at, now()),
            case when p_status = 'running' then coalesce(p_recorded_at, now()) end)
    on conflict do nothing
    returning * into r;

    if not found then
        r := postil._lock_run(p_tenant, p_run_id);
        if (r.name, r.parent_id, r.input, r.replay_of, r.trigger_source, r.trigger_action, r.schedule_id)
           is distinct from
           (p_name, p_parent_id, p_input, p_replay_of, coalesce(p_trigger ->> 'source', 'sdk'),
            coalesce(p_trigger ->> 'action', 'trigger'), p_trigger ->> 'schedule_id')
        then
            perform postil._refuse(
                'PS011',
                format('run %s exists with another name, input, trigger, parent_id or replay_of', r.id),
                'run_id');
        end if;
        return query select 'run', r.id, 1::bigint, false;
        return;
    end if;

    return query select 'run', r.id,
        postil._append(r, 'run:created', 'runs/' || r.id, r.recorded_at, postil._run_data(r, true),
                       p_context), true;
    return query select * from postil.annotate(
        r.tenant, r.id, p_annotations, p_actor, null, p_recorded_at, p_context);
end
$$;
