create or replace function postil.start_stage(
    tenant text,
    run_id text,
    name text,
    stage_id text default null,
    actor jsonb default null,
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
begin
    return query select * from postil._start_stage(
        tenant, run_id, name, coalesce(stage_id, name), actor, recorded_at, context);
end
$$;

comment on function postil.start_stage(text, text, text, text, jsonb, timestamptz, jsonb) is
$$Starts a stage in the current attempt of a run. A pending run starts with it.

tenant, run_id: the run.
name: name of the stage.
stage_id: defaults to the name. A repeated step needs its own stage_id.
actor: {kind, id, version} of who works on the stage.
recorded_at: when it started; defaults to now.
context: {causation_id, traceparent} of the event.

Returns the receipt of the stage; created = false if it runs already.

Raises PS001 (no such run), PS002 and PS003 (the run was cancelled or has ended), PS007, PS008, PS010 (the
stage ended, or has another name), PS012 (no such tenant), PS017.$$;

create or replace function postil._start_stage(
    p_tenant text, p_run_id text, p_name text, p_stage_id text, p_actor jsonb, p_recorded_at timestamptz,
    p_context jsonb)
returns setof postil.receipt
language plpgsql as $$
declare
    r postil.run;
    s postil.stage;
begin
    perform postil._check_id(p_name, 'name');
    perform postil._check_id(p_stage_id, 'stage_id');
    perform postil._check_actor(p_actor, 'actor');
    perform postil._check_time(p_recorded_at, 'recorded_at');
    perform postil._check_context(p_context);
    r := postil._lock_live_run(p_tenant, p_run_id, p_context);
    insert into postil.stage (tenant, run_id, attempt, id, name, status,
                              actor_kind, actor_id, actor_version, started_at)
    values (r.tenant, r.id, r.attempt, p_stage_id, p_name, 'running',
            p_actor ->> 'kind', p_actor ->> 'id', p_actor ->> 'version', coalesce(p_recorded_at, now()))
    on conflict do nothing
    returning * into s;
    if not found then
        select * into s from postil.stage
         where tenant = r.tenant and run_id = r.id and attempt = r.attempt and id = p_stage_id;
        if s.name <> p_name or s.status <> 'running' then
            perform postil._refuse(
                'PS010', format('run %s already has a stage %L (%s, %s) in attempt %s',
                                r.id, s.id, s.name, s.status, r.attempt),
                'stage_id', 'Give a repeated step its own stage id.');
        end if;
        return query select 'stage', s.id, postil._head(r), false;
        return;
    end if;
    return query select 'stage', s.id,
        postil._append(r, 'stage:started', 'stages/' || s.id, s.started_at, postil._stage_data(s),
                       p_context), true;
end
$$;
