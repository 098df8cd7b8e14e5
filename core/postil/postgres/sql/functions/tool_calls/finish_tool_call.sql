create or replace function postil.finish_tool_call(
    tenant text,
    run_id text,
    tool_call_id text,
    status text default 'completed',
    result jsonb default null,
    error jsonb default null,
    duration_ms double precision default null,
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
begin
    return query select * from postil._finish_tool_call(
        tenant, run_id, tool_call_id, status, result, error, duration_ms, recorded_at, context);
end
$$;

comment on function postil.finish_tool_call(
    text, text, text, text, jsonb, jsonb, double precision, timestamptz, jsonb) is
$$Records how a tool call ended. The run may have ended before.

tenant, run_id, tool_call_id: the call.
status: completed (the default) or failed.
result, error: any JSON.
duration_ms: in milliseconds; defaults to the time since the call began.
recorded_at: when it ended; defaults to the time of this call, also within a longer transaction.
context: {causation_id, traceparent} of the event.

Returns the receipt of the tool call; created = false if it ended in the same way.

Raises PS001 (no such run), PS006 (JSON too large), PS007, PS008, PS012 (no such tenant), PS015 (no such
tool call), PS016 (it ended in another way), PS017.$$;

create or replace function postil._finish_tool_call(
    p_tenant text, p_run_id text, p_tool_call_id text, p_status text, p_result jsonb, p_error jsonb,
    p_duration_ms double precision, p_recorded_at timestamptz, p_context jsonb)
returns setof postil.receipt
language plpgsql as $$
declare
    r postil.run;
    t postil.tool_call;
    at timestamptz := coalesce(postil._check_time(p_recorded_at, 'recorded_at'), clock_timestamp());
begin
    if p_status is null or p_status not in ('completed', 'failed') then
        perform postil._refuse(
            'PS017', format('a tool call ends completed or failed, not %L', p_status), 'status');
    end if;
    perform postil._check_json(p_result, 'result');
    perform postil._check_json(p_error, 'error');
    perform postil._check_duration(p_duration_ms);
    perform postil._check_context(p_context);
    r := postil._lock_run(p_tenant, p_run_id);
    select * into t from postil.tool_call where tenant = r.tenant and run_id = r.id and id = p_tool_call_id;
    if not found then
        perform postil._refuse(
            'PS015', format('run %s has no tool call %L', r.id, left(p_tool_call_id, 220)), 'tool_call_id');
    elsif t.status <> 'running' then
        if (t.status, t.result, t.error) is distinct from (p_status, p_result, p_error) then
            perform postil._refuse(
                'PS016', format('tool call %L of run %s is %s already', t.id, r.id, t.status),
                'tool_call_id');
        end if;
        return query select 'tool_call', t.id, r.head, false;
        return;
    end if;
    update postil.tool_call
       set status = p_status, result = p_result, error = p_error, ended_at = at,
           duration_ms = coalesce(p_duration_ms, greatest(0, extract(epoch from at - started_at) * 1000))
     where tenant = r.tenant and run_id = r.id and id = t.id
    returning * into t;
    return query select 'tool_call', t.id,
        postil._append(r, 'tool_call:' || t.status, 'tool-calls/' || t.id, at, postil._tool_call_data(t),
                       p_context), true;
end
$$;
