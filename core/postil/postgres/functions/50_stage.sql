-- Stages: the named steps of a run's current attempt.

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
#variable_conflict use_column
declare
    r postil.run;
    s postil.stage;
    sid constant text := coalesce(start_stage.stage_id, start_stage.name);
begin
    perform postil._check_id(start_stage.name, 'name');
    perform postil._check_id(sid, 'stage_id');
    perform postil._check_actor(start_stage.actor, 'actor');
    perform postil._check_time(start_stage.recorded_at, 'recorded_at');
    perform postil._check_context(start_stage.context);
    r := postil._lock_live_run(start_stage.tenant, start_stage.run_id, start_stage.context);
    insert into postil.stage (tenant, run_id, attempt, id, name, status, actor_kind, actor_id, actor_version, started_at)
    values (r.tenant, r.id, r.attempt, sid, start_stage.name, 'running',
            start_stage.actor ->> 'kind', start_stage.actor ->> 'id', start_stage.actor ->> 'version',
            coalesce(start_stage.recorded_at, now()))
    on conflict do nothing
    returning * into s;
    if not found then
        select * into s from postil.stage x where x.tenant = r.tenant and x.run_id = r.id and x.attempt = r.attempt and x.id = sid;
        if s.name <> start_stage.name or s.status <> 'running' then
            perform postil._refuse('PS010', format('run %s already has a stage %L (%s, %s) in attempt %s', r.id, s.id, s.name, s.status, r.attempt),
                                   'stage_id', 'Give a repeated step a stage id of its own.');
        end if;
        return query select 'stage', s.id, postil._head(r), false;
        return;
    end if;
    return query select 'stage', s.id,
        postil._append(r, 'stage:started', 'stages/' || s.id, s.started_at, postil._stage_data(s), start_stage.context), true;
end
$$;

-- Take the run's lock and find the stage in its current attempt. Checked first: a cancelled run takes nothing more.
create or replace function postil._lock_stage(p_tenant text, p_run_id text, p_stage_id text, context jsonb, out r postil.run, out s postil.stage)
language plpgsql as $$
begin
    r := postil._lock_run(p_tenant, p_run_id);
    if r.status = 'cancelled' then
        perform postil._refuse_ended(r);
    end if;
    select * into s from postil.stage x
     where x.tenant = r.tenant and x.run_id = r.id and x.attempt = r.attempt and x.id = p_stage_id;
    if not found then
        perform postil._refuse('PS009', format('run %s has no stage %L in attempt %s', r.id, left(p_stage_id, 220), r.attempt), 'stage_id');
    end if;
end
$$;

-- failure.type and failure.message from an error {type, message}, each cut with a mark where it is too long for a value:
-- a failure that cannot be recorded would be the worst of them.
create or replace function postil._failure_notes(error jsonb)
returns jsonb language sql immutable as $$
    select coalesce(jsonb_agg(jsonb_build_object('key', 'failure.' || part, 'group', 999999999, 'value',
               case when octet_length((error -> part)::text) <= 16384 then error -> part
                    else to_jsonb(format('%s… [%s characters more]', left(error ->> part, 2000), length(error ->> part) - 2000)) end)
               order by part desc), '[]')
      from unnest(array['type', 'message']) part where jsonb_typeof(error) = 'object' and error ? part
$$;

-- Move a stage to `to_status` with what was noted in it, in one transaction; the notes come before the change in the log.
create or replace function postil._change_stage(
    p_tenant text, p_run_id text, p_stage_id text, to_status text, type text,
    annotations jsonb, p_result jsonb, p_error jsonb, default_actor jsonb, p_recorded_at timestamptz, context jsonb)
returns setof postil.receipt
language plpgsql as $$
#variable_conflict use_column
declare
    found_rows record;
    r postil.run;
    s postil.stage;
    at timestamptz := coalesce(postil._check_time(p_recorded_at, 'recorded_at'), now());
    written postil.receipt[];
begin
    perform postil._check_annotations(annotations, 'annotations');
    perform postil._check_json(p_result, 'result');
    perform postil._check_json(p_error, 'error');
    perform postil._check_actor(default_actor, 'actor');
    perform postil._check_context(context);
    select * into found_rows from postil._lock_stage(p_tenant, p_run_id, p_stage_id, context);
    r := found_rows.r;
    s := found_rows.s;
    if s.status = to_status and s.result is not distinct from p_result and s.error is not distinct from p_error
       and jsonb_array_length(annotations) = 0 then
        return query select 'stage', s.id, r.head, false;  -- a retry of what is done
        return;
    end if;
    perform postil._refuse_ended(r);
    if s.status not in ('running', 'suspended') or s.status = to_status and to_status = 'running' then
        perform postil._refuse('PS010', format('stage %L of run %s is %s and cannot become %s', s.id, r.id, s.status, to_status), 'stage_id');
    end if;
    if to_status = 'failed' then
        annotations := annotations || postil._failure_notes(p_error);
    end if;
    written := array(select a from postil.annotate(r.tenant, r.id, annotations, default_actor, s.id, p_recorded_at, context) a);
    update postil.stage x
       set status = to_status, result = coalesce(p_result, x.result), error = p_error,
           ended_at = case when to_status in ('completed', 'failed') then at end
     where x.tenant = s.tenant and x.run_id = s.run_id and x.attempt = s.attempt and x.id = s.id
    returning * into s;
    return query select 'stage', s.id, postil._append(r, type, 'stages/' || s.id, at, postil._stage_data(s), context), true;
    return query select * from unnest(written);
end
$$;

create or replace function postil.complete_stage(
    tenant text, run_id text, stage_id text, annotations jsonb default '[]', result jsonb default null,
    actor jsonb default null, recorded_at timestamptz default null, context jsonb default null)
returns setof postil.receipt
language sql as $$
    select * from postil._change_stage(complete_stage.tenant, complete_stage.run_id, complete_stage.stage_id, 'completed', 'stage:completed',
        complete_stage.annotations, complete_stage.result, null, complete_stage.actor, complete_stage.recorded_at, complete_stage.context)
$$;

-- Keeps what was noted before the failure and adds failure.type and failure.message from `error`.
create or replace function postil.fail_stage(
    tenant text, run_id text, stage_id text, error jsonb default null, annotations jsonb default '[]',
    actor jsonb default null, recorded_at timestamptz default null, context jsonb default null)
returns setof postil.receipt
language sql as $$
    select * from postil._change_stage(fail_stage.tenant, fail_stage.run_id, fail_stage.stage_id, 'failed', 'stage:failed',
        fail_stage.annotations, null, fail_stage.error, fail_stage.actor, fail_stage.recorded_at, fail_stage.context)
$$;

create or replace function postil.suspend_stage(
    tenant text, run_id text, stage_id text, annotations jsonb default '[]',
    actor jsonb default null, recorded_at timestamptz default null, context jsonb default null)
returns setof postil.receipt
language sql as $$
    select * from postil._change_stage(suspend_stage.tenant, suspend_stage.run_id, suspend_stage.stage_id, 'suspended', 'stage:suspended',
        suspend_stage.annotations, null, null, suspend_stage.actor, suspend_stage.recorded_at, suspend_stage.context)
$$;

create or replace function postil.resume_stage(
    tenant text, run_id text, stage_id text, annotations jsonb default '[]',
    actor jsonb default null, recorded_at timestamptz default null, context jsonb default null)
returns setof postil.receipt
language sql as $$
    select * from postil._change_stage(resume_stage.tenant, resume_stage.run_id, resume_stage.stage_id, 'running', 'stage:resumed',
        resume_stage.annotations, null, null, resume_stage.actor, resume_stage.recorded_at, resume_stage.context)
$$;
