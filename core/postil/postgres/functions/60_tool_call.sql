-- Tool calls: running → completed or failed. A call may end after its run has: what happened, happened.

create or replace function postil.start_tool_call(
    tenant text, run_id text, name text, tool_call_id text default null, kind text default 'tool', arguments jsonb default null,
    stage_id text default null, actor jsonb default null, recorded_at timestamptz default null, context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
#variable_conflict use_column
declare
    r postil.run;
    t postil.tool_call;
    cid constant text := coalesce(start_tool_call.tool_call_id, postil.uuidv7()::text);
begin
    perform postil._check_tool_call(cid, start_tool_call.name, start_tool_call.kind, start_tool_call.arguments,
                                    start_tool_call.actor, start_tool_call.recorded_at, start_tool_call.context);
    r := postil._lock_live_run(start_tool_call.tenant, start_tool_call.run_id, start_tool_call.context);
    perform postil._check_stage(r, start_tool_call.stage_id);
    insert into postil.tool_call (tenant, run_id, id, attempt, stage_id, kind, name, status, actor_kind, actor_id, actor_version,
                                  arguments, started_at)
    values (r.tenant, r.id, cid, r.attempt, start_tool_call.stage_id, start_tool_call.kind, start_tool_call.name, 'running',
            start_tool_call.actor ->> 'kind', start_tool_call.actor ->> 'id', start_tool_call.actor ->> 'version',
            start_tool_call.arguments, coalesce(start_tool_call.recorded_at, now()))
    on conflict do nothing
    returning * into t;
    if not found then
        select * into t from postil.tool_call x where x.tenant = r.tenant and x.run_id = r.id and x.id = cid;
        if (t.name, t.kind, t.arguments) is distinct from (start_tool_call.name, start_tool_call.kind, start_tool_call.arguments) then
            perform postil._refuse('PS016', format('run %s has another tool call %L (%s)', r.id, cid, t.name), 'tool_call_id');
        end if;
        return query select 'tool_call', cid, postil._head(r), false;
        return;
    end if;
    return query select 'tool_call', cid,
        postil._append(r, 'tool_call:started', 'tool-calls/' || t.id, t.started_at, postil._tool_call_data(t), start_tool_call.context), true;
end
$$;

create or replace function postil._check_tool_call(
    tool_call_id text, name text, kind text, arguments jsonb, actor jsonb, at timestamptz, context jsonb)
returns void language plpgsql immutable as $$
begin
    perform postil._check_id(tool_call_id, 'tool_call_id');
    perform postil._check_id(name, 'name');
    perform postil._check_id(kind, 'kind');
    perform postil._check_json(arguments, 'arguments');
    perform postil._check_actor(actor, 'actor');
    perform postil._check_time(at, 'recorded_at');
    perform postil._check_context(context);
end
$$;

create or replace function postil._check_stage(r postil.run, p_stage_id text)
returns void language plpgsql as $$
begin
    if p_stage_id is not null and not exists (
        select from postil.stage s where s.tenant = r.tenant and s.run_id = r.id and s.attempt = r.attempt and s.id = p_stage_id)
    then
        perform postil._refuse('PS009', format('run %s has no stage %L in attempt %s', r.id, left(p_stage_id, 220), r.attempt), 'stage_id');
    end if;
end
$$;

create or replace function postil._check_duration(duration_ms double precision)
returns void language plpgsql immutable as $$
begin
    -- NaN sorts above infinity in PostgreSQL.
    if duration_ms < 0 or duration_ms >= 'infinity' then
        perform postil._refuse('PS017', 'duration_ms must be a finite number of milliseconds, 0 or more', 'duration_ms');
    end if;
end
$$;

create or replace function postil.finish_tool_call(
    tenant text, run_id text, tool_call_id text, status text default 'completed', result jsonb default null, error jsonb default null,
    duration_ms double precision default null, recorded_at timestamptz default null, context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
#variable_conflict use_column
declare
    r postil.run;
    t postil.tool_call;
    at timestamptz := coalesce(postil._check_time(finish_tool_call.recorded_at, 'recorded_at'), clock_timestamp());
begin
    if finish_tool_call.status is null or finish_tool_call.status not in ('completed', 'failed') then
        perform postil._refuse('PS017', format('a tool call ends completed or failed, not %L', finish_tool_call.status), 'status');
    end if;
    perform postil._check_json(finish_tool_call.result, 'result');
    perform postil._check_json(finish_tool_call.error, 'error');
    perform postil._check_duration(finish_tool_call.duration_ms);
    perform postil._check_context(finish_tool_call.context);
    r := postil._lock_run(finish_tool_call.tenant, finish_tool_call.run_id);
    select * into t from postil.tool_call x where x.tenant = r.tenant and x.run_id = r.id and x.id = finish_tool_call.tool_call_id;
    if not found then
        perform postil._refuse('PS015', format('run %s has no tool call %L', r.id, left(finish_tool_call.tool_call_id, 220)), 'tool_call_id');
    elsif t.status <> 'running' then
        if (t.status, t.result, t.error) is distinct from (finish_tool_call.status, finish_tool_call.result, finish_tool_call.error) then
            perform postil._refuse('PS016', format('tool call %L of run %s is %s already', t.id, r.id, t.status), 'tool_call_id');
        end if;
        return query select 'tool_call', t.id, r.head, false;
        return;
    end if;
    update postil.tool_call x
       set status = finish_tool_call.status, result = finish_tool_call.result, error = finish_tool_call.error, ended_at = at,
           duration_ms = coalesce(finish_tool_call.duration_ms, greatest(0, extract(epoch from at - x.started_at) * 1000))
     where x.tenant = r.tenant and x.run_id = r.id and x.id = t.id
    returning * into t;
    return query select 'tool_call', t.id,
        postil._append(r, 'tool_call:' || t.status, 'tool-calls/' || t.id, at, postil._tool_call_data(t), finish_tool_call.context), true;
end
$$;

-- A call that is over when it is told: one event, completed or failed.
create or replace function postil.record_tool_call(
    tenant text, run_id text, name text, tool_call_id text default null, kind text default 'tool', status text default 'completed',
    arguments jsonb default null, result jsonb default null, error jsonb default null, duration_ms double precision default null,
    stage_id text default null, actor jsonb default null, recorded_at timestamptz default null, context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
#variable_conflict use_column
declare
    r postil.run;
    t postil.tool_call;
    cid constant text := coalesce(record_tool_call.tool_call_id, postil.uuidv7()::text);
    at timestamptz := coalesce(record_tool_call.recorded_at, now());
begin
    if record_tool_call.status is null or record_tool_call.status not in ('completed', 'failed') then
        perform postil._refuse('PS017', format('a recorded tool call is completed or failed, not %L', record_tool_call.status), 'status');
    end if;
    perform postil._check_tool_call(cid, record_tool_call.name, record_tool_call.kind, record_tool_call.arguments,
                                    record_tool_call.actor, record_tool_call.recorded_at, record_tool_call.context);
    perform postil._check_json(record_tool_call.result, 'result');
    perform postil._check_json(record_tool_call.error, 'error');
    perform postil._check_duration(record_tool_call.duration_ms);
    r := postil._lock_live_run(record_tool_call.tenant, record_tool_call.run_id, record_tool_call.context);
    perform postil._check_stage(r, record_tool_call.stage_id);
    insert into postil.tool_call (tenant, run_id, id, attempt, stage_id, kind, name, status, actor_kind, actor_id, actor_version,
                                  arguments, result, error, started_at, ended_at, duration_ms)
    values (r.tenant, r.id, cid, r.attempt, record_tool_call.stage_id, record_tool_call.kind, record_tool_call.name, record_tool_call.status,
            record_tool_call.actor ->> 'kind', record_tool_call.actor ->> 'id', record_tool_call.actor ->> 'version',
            record_tool_call.arguments, record_tool_call.result, record_tool_call.error,
            -- An hour at most is taken back from the end, so that an absurd duration cannot leave the calendar.
            at - make_interval(secs => coalesce(least(record_tool_call.duration_ms, 3.6e6), 0) / 1000), at, record_tool_call.duration_ms)
    on conflict do nothing
    returning * into t;
    if not found then
        select * into t from postil.tool_call x where x.tenant = r.tenant and x.run_id = r.id and x.id = cid;
        if (t.name, t.kind, t.status, t.arguments, t.result, t.error) is distinct from
           (record_tool_call.name, record_tool_call.kind, record_tool_call.status, record_tool_call.arguments, record_tool_call.result, record_tool_call.error)
        then
            perform postil._refuse('PS016', format('run %s has another tool call %L (%s, %s)', r.id, cid, t.name, t.status), 'tool_call_id');
        end if;
        return query select 'tool_call', cid, postil._head(r), false;
        return;
    end if;
    return query select 'tool_call', cid,
        postil._append(r, 'tool_call:' || t.status, 'tool-calls/' || t.id, at, postil._tool_call_data(t), record_tool_call.context), true;
end
$$;
