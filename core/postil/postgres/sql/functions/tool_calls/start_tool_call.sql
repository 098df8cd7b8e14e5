create or replace function postil.start_tool_call(
    tenant text,
    run_id text,
    name text,
    tool_call_id text default null,
    kind text default 'tool',
    arguments jsonb default null,
    stage_id text default null,
    actor jsonb default null,
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
begin
    return query select * from postil._start_tool_call(
        tenant, run_id, name, coalesce(tool_call_id, postil.uuidv7()::text), kind, arguments, stage_id, actor,
        recorded_at, context);
end
$$;

comment on function postil.start_tool_call(
    text, text, text, text, text, jsonb, text, jsonb, timestamptz, jsonb) is
$$Records that a tool call began. A pending run starts with it.

tenant, run_id: the run.
name: name of the tool or model.
tool_call_id: defaults to a new UUID.
kind: tool (the default), ai, or any other.
arguments: any JSON.
stage_id: the stage that made the call, in the run's current attempt.
actor: {kind, id, version} of who made the call.
recorded_at: when it began; defaults to now.
context: {causation_id, traceparent} of the event.

Returns the receipt of the tool call; created = false if the same call is recorded already.

Raises PS001 (no such run), PS002 and PS003 (the run was cancelled or has ended), PS006 (arguments too
large), PS007, PS008, PS009 (no such stage), PS012 (no such tenant), PS016 (the id is another call's),
PS017.$$;

create or replace function postil._start_tool_call(
    p_tenant text, p_run_id text, p_name text, p_tool_call_id text, p_kind text, p_arguments jsonb,
    p_stage_id text, p_actor jsonb, p_recorded_at timestamptz, p_context jsonb)
returns setof postil.receipt
language plpgsql as $$
declare
    r postil.run;
    t postil.tool_call;
begin
    perform postil._check_tool_call(
        p_tool_call_id, p_name, p_kind, p_arguments, p_actor, p_recorded_at, p_context);
    r := postil._lock_live_run(p_tenant, p_run_id, p_context);
    perform postil._check_stage(r, p_stage_id);
    insert into postil.tool_call (tenant, run_id, id, attempt, stage_id, kind, name, status,
                                  actor_kind, actor_id, actor_version, arguments, started_at)
    values (r.tenant, r.id, p_tool_call_id, r.attempt, p_stage_id, p_kind, p_name, 'running',
            p_actor ->> 'kind', p_actor ->> 'id', p_actor ->> 'version', p_arguments,
            coalesce(p_recorded_at, now()))
    on conflict do nothing
    returning * into t;
    if not found then
        select * into t from postil.tool_call
         where tenant = r.tenant and run_id = r.id and id = p_tool_call_id;
        if (t.name, t.kind, t.arguments) is distinct from (p_name, p_kind, p_arguments) then
            perform postil._refuse(
                'PS016', format('run %s has another tool call %L (%s)', r.id, t.id, t.name), 'tool_call_id');
        end if;
        return query select 'tool_call', t.id, postil._head(r), false;
        return;
    end if;
    return query select 'tool_call', t.id,
        postil._append(r, 'tool_call:started', 'tool-calls/' || t.id, t.started_at, postil._tool_call_data(t),
                       p_context), true;
end
$$;
