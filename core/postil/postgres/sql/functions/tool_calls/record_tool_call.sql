create or replace function postil.record_tool_call(
    tenant text,
    run_id text,
    name text,
    tool_call_id text default null,
    kind text default 'tool',
    status text default 'completed',
    arguments jsonb default null,
    result jsonb default null,
    error jsonb default null,
    duration_ms double precision default null,
    stage_id text default null,
    actor jsonb default null,
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
begin
    return query select * from postil._record_tool_call(
        tenant, run_id, name, coalesce(tool_call_id, postil.uuidv7()::text), kind, status, arguments, result,
        error, duration_ms, stage_id, actor, recorded_at, context);
end
$$;

comment on function postil.record_tool_call(
    text, text, text, text, text, text, jsonb, jsonb, jsonb, double precision, text, jsonb, timestamptz,
    jsonb) is
$$Records a tool call that has ended, in one event. A pending run starts with it.

tenant, run_id: the run.
name: name of the tool or model.
tool_call_id: defaults to a new UUID.
kind: tool (the default), ai, or any other.
status: completed (the default) or failed.
arguments, result, error: any JSON.
duration_ms: in milliseconds.
stage_id: the stage that made the call, in the run's current attempt.
actor: {kind, id, version} of who made the call.
recorded_at: when it ended; defaults to now.
context: {causation_id, traceparent} of the event.

Returns the receipt of the tool call; created = false if the same call is recorded already.

Raises PS001 (no such run), PS002 and PS003 (the run was cancelled or has ended), PS006 (JSON too large),
PS007, PS008, PS009 (no such stage), PS012 (no such tenant), PS016 (the id is another call's), PS017.$$;

create or replace function postil._record_tool_call(
    p_tenant text, p_run_id text, p_name text, p_tool_call_id text, p_kind text, p_status text,
    p_arguments jsonb, p_result jsonb, p_error jsonb, p_duration_ms double precision, p_stage_id text,
    p_actor jsonb, p_recorded_at timestamptz, p_context jsonb)
returns setof postil.receipt
language plpgsql as $$
declare
    r postil.run;
    t postil.tool_call;
    at timestamptz := coalesce(p_recorded_at, now());
begin
    if p_status is null or p_status not in ('completed', 'failed') then
        perform postil._refuse(
            'PS017', format('a recorded tool call is completed or failed, not %L', p_status), 'status');
    end if;
    perform postil._check_tool_call(
        p_tool_call_id, p_name, p_kind, p_arguments, p_actor, p_recorded_at, p_context);
    perform postil._check_json(p_result, 'result');
    perform postil._check_json(p_error, 'error');
    perform postil._check_duration(p_duration_ms);
    r := postil._lock_live_run(p_tenant, p_run_id, p_context);
    perform postil._check_stage(r, p_stage_id);
    insert into postil.tool_call (tenant, run_id, id, attempt, stage_id, kind, name, status,
                                  actor_kind, actor_id, actor_version, arguments, result, error,
                                  started_at, ended_at, duration_ms)
    values (r.tenant, r.id, p_tool_call_id, r.attempt, p_stage_id, p_kind, p_name, p_status,
            p_actor ->> 'kind', p_actor ->> 'id', p_actor ->> 'version', p_arguments, p_result, p_error,
            -- At most an hour is subtracted from the end, so that an absurd duration cannot leave the
            -- calendar.
            at - make_interval(secs => coalesce(least(p_duration_ms, 3.6e6), 0) / 1000), at, p_duration_ms)
    on conflict do nothing
    returning * into t;
    if not found then
        select * into t from postil.tool_call
         where tenant = r.tenant and run_id = r.id and id = p_tool_call_id;
        if (t.name, t.kind, t.status, t.arguments, t.result, t.error)
           is distinct from (p_name, p_kind, p_status, p_arguments, p_result, p_error)
        then
            perform postil._refuse(
                'PS016', format('run %s has another tool call %L (%s, %s)', r.id, t.id, t.name, t.status),
                'tool_call_id');
        end if;
        return query select 'tool_call', t.id, postil._head(r), false;
        return;
    end if;
    return query select 'tool_call', t.id,
        postil._append(r, 'tool_call:' || t.status, 'tool-calls/' || t.id, at, postil._tool_call_data(t),
                       p_context), true;
end
$$;
