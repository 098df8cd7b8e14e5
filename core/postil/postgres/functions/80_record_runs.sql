-- Whole histories at once: imports and backfills. Set-based, because a loop over events costs ten times as much.
-- A run is new to everybody until this transaction commits, so holding its new row is holding its lock.

create or replace function postil._large_field(step jsonb)
returns text language sql immutable as $$
    select 'PS006|' || f.key || '|' || f.key || ' has ' || octet_length(f.value::text) || ' bytes of JSON, the limit is 262144'
      from jsonb_each(step) f
     where f.key in ('result', 'error', 'arguments') and octet_length(f.value::text) > 262144 limit 1
$$;

-- What is wrong with one step: 'SQLSTATE|field|message', or null.
create or replace function postil._fault_in_step(step jsonb)
returns text language sql stable as $$
    select case
        when jsonb_typeof(step) <> 'object' then 'PS017||a step is an object {type, …}'
        when step ->> 'type' = 'annotation:created' then postil._fault_in_annotation(step - 'type' - 'at')
        when coalesce(step ->> 'type', '') not in ('stage:started', 'stage:completed', 'stage:failed', 'tool_call:completed', 'tool_call:failed')
            then 'PS017|type|' || coalesce(step ->> 'type', 'null') || ' is no type of a step'
        when jsonb_typeof(step -> 'id') is distinct from 'string' or length(step ->> 'id') not between 1 and 200
            then 'PS017|id|id must be a text of 1 to 200 characters'
        when jsonb_typeof(step -> 'name') is distinct from 'string' or length(step ->> 'name') not between 1 and 200
            then 'PS017|name|name must be a text of 1 to 200 characters'
        when postil._bad_text(step -> 'kind') then 'PS017|kind|kind must be a text of 1 to 200 characters'
        when postil._bad_text(step -> 'stage_id') then 'PS017|stage_id|stage_id must be a text of 1 to 200 characters'
        when step ? 'duration_ms' and (jsonb_typeof(step -> 'duration_ms') not in ('number', 'null')
                                       or (step ->> 'duration_ms')::numeric not between 0 and 1e15)
            then 'PS017|duration_ms|duration_ms must be a number of milliseconds, 0 or more'
        when step - '{type,at,id,name,actor,result,error}'::text[] <> '{}'
             and (step ->> 'type' not like 'tool_call:%'
                  or step - '{type,at,id,name,actor,result,error,kind,stage_id,arguments,duration_ms}'::text[] <> '{}')
            then postil._other_field('PS017', step, case when step ->> 'type' like 'tool_call:%'
                then '{type,at,id,name,actor,result,error,kind,stage_id,arguments,duration_ms}'::text[]
                else '{type,at,id,name,actor,result,error}'::text[] end, 'a step')
        when octet_length(step::text) > 262144 and postil._large_field(step) is not null then postil._large_field(step)
        when step ?| '{result,error,arguments}'
             and jsonb_path_exists(step, 'strict $.**{65} ? (@.type() == "object" || @.type() == "array")')
            then 'PS017||the step is nested deeper than 64 levels'
        when step ?| '{result,error,arguments}' and octet_length(step::text) > 308 and postil._has_huge_number(step)
            then 'PS017||the step holds a number beyond the range of a double'
    end
$$;

-- One exception block for all times of a call, because one for each costs more than everything else about a step.
-- What passes here can be cast without a fault.
create or replace function postil._check_step_times(histories jsonb)
returns void language plpgsql stable as $$
declare
    wrong boolean;
begin
    begin
        select bool_or(step ->> 'at' !~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$'
                       or (step ->> 'at')::timestamptz not between '0001-01-02 00:00:00Z' and '9999-12-30 23:59:59Z')
          into wrong
          from jsonb_array_elements(histories) doc cross join jsonb_array_elements(doc -> 'steps') step
         where step ->> 'at' is not null;
    exception
        when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
            wrong := true;
    end;
    if wrong then  -- now find out which
        perform postil._time(s.step -> 'at', format('histories[%s].steps[%s].at', h.n - 1, s.n - 1))
           from jsonb_array_elements(histories) with ordinality h(doc, n)
          cross join jsonb_array_elements(h.doc -> 'steps') with ordinality s(step, n);
    end if;
end
$$;

create or replace function postil._check_histories(histories jsonb)
returns void language plpgsql stable as $$
declare
    h record;
    fault record;
    here text;
    part text;
begin
    if jsonb_typeof(histories) is distinct from 'array' then
        perform postil._refuse('PS017', 'histories must be an array of runs', 'histories');
    end if;
    for h in select n - 1 as n, doc from jsonb_array_elements(histories) with ordinality x(doc, n) loop
        here := format('histories[%s]', h.n);
        if jsonb_typeof(h.doc) <> 'object' then
            perform postil._refuse('PS017', 'a history is an object {run_id, steps, …}', here);
        end if;
        foreach part in array array['run_id', 'name'] loop
            if jsonb_typeof(h.doc -> part) not in ('string', 'null') then
                perform postil._refuse('PS017', format('%s.%s must be a text', here, part), here || '.' || part);
            end if;
        end loop;
        perform postil._check_id(h.doc ->> 'run_id', here || '.run_id');
        perform postil._check_id(coalesce(h.doc ->> 'name', 'x'), here || '.name');
        if coalesce(h.doc ->> 'status', 'completed') not in ('running', 'completed', 'failed', 'cancelled') then
            perform postil._refuse('PS017', format('%s: a recorded run is running, completed, failed or cancelled, not %L', h.doc ->> 'run_id', h.doc ->> 'status'), here || '.status');
        end if;
        perform postil._check_actor(h.doc -> 'actor', here || '.actor');
        perform postil._check_trigger(nullif(h.doc -> 'trigger', 'null'));
        foreach part in array array['input', 'result', 'error', 'metadata'] loop
            perform postil._check_json(h.doc -> part, here || '.' || part);
        end loop;
        if h.doc ? 'steps' and jsonb_typeof(h.doc -> 'steps') <> 'array' then
            perform postil._refuse('PS017', format('%s: steps must be an array', h.doc ->> 'run_id'), here || '.steps');
        end if;
        select key into part from jsonb_object_keys(h.doc) key
         where key not in ('run_id', 'name', 'status', 'recorded_at', 'started_at', 'ended_at', 'actor', 'trigger', 'input', 'result', 'error', 'metadata', 'steps') limit 1;
        if found then
            perform postil._refuse('PS017', format('%s: %s is no field of a history', h.doc ->> 'run_id', part), here || '.' || part);
        end if;
        perform postil._time(h.doc -> field, here || '.' || field) from unnest('{recorded_at,started_at,ended_at}'::text[]) field;
    end loop;

    -- All steps of all runs at once: setting up this query costs as much as checking a hundred steps with it.
    for fault in
        select x.doc ->> 'run_id' as run_id, x.n - 1 as run, s.n - 1 as n, postil._fault_in_step(s.step) as said
          from jsonb_array_elements(histories) with ordinality x(doc, n)
         cross join jsonb_array_elements(x.doc -> 'steps') with ordinality s(step, n)
         where postil._fault_in_step(s.step) is not null order by x.n, s.n limit 1
    loop
        perform postil._refuse_fault(fault.said, format('histories[%s].steps[%s]', fault.run, fault.n),
                                     format('%s: steps[%s]: ', fault.run_id, fault.n));
    end loop;
    -- Few actors and many steps: each actor is checked once, where it first occurs.
    for fault in
        select distinct on (s.step -> 'actor') s.step -> 'actor' as actor, x.n - 1 as run, s.n - 1 as n
          from jsonb_array_elements(histories) with ordinality x(doc, n)
         cross join jsonb_array_elements(x.doc -> 'steps') with ordinality s(step, n)
         where s.step ? 'actor' order by s.step -> 'actor', x.n, s.n
    loop
        perform postil._check_actor(fault.actor, format('histories[%s].steps[%s].actor', fault.run, fault.n));
    end loop;
    perform postil._check_step_times(histories);
    for fault in
        select x.doc ->> 'run_id' as run_id, s.step, format('histories[%s].steps[%s]', x.n - 1, s.n - 1) as place
          from jsonb_array_elements(histories) with ordinality x(doc, n)
         cross join jsonb_array_elements(x.doc -> 'steps') with ordinality s(step, n)
         where s.step ?| '{recorded_at,attempt}'
    loop
        perform postil._time(fault.step -> 'recorded_at', fault.place || '.recorded_at');
        if (fault.step ->> 'attempt')::integer <> 1 then
            perform postil._refuse('PS005', format('%s: %s: a recorded history is attempt 1', fault.run_id, fault.place), fault.place || '.attempt');
        end if;
    end loop;
    -- A stage starts once and ends once, a tool call ends once, an idempotency key is used once.
    select x.n - 1 as run, max(s.n) - 1 as n, max(x.doc ->> 'run_id') as run_id into fault
      from jsonb_array_elements(histories) with ordinality x(doc, n)
     cross join jsonb_array_elements(x.doc -> 'steps') with ordinality s(step, n)
     where s.step ->> 'type' <> 'annotation:created' or s.step ->> 'idempotency_key' is not null
     group by x.n, split_part(s.step ->> 'type', ':', 1), s.step ->> 'id', s.step ->> 'type' = 'stage:started',
              s.step ->> 'key', s.step ->> 'idempotency_key', case when s.step ? 'key' then s.step ->> 'stage_id' end
    having count(*) > 1 order by 1, 2 limit 1;
    if found then
        perform postil._refuse('PS017', format('%s: steps[%s] says again what an earlier step has said', fault.run_id, fault.n),
                               format('histories[%s].steps[%s]', fault.run, fault.n));
    end if;
end
$$;

create or replace function postil.record_runs(tenant text, histories jsonb)
returns table (run_id text, events bigint, created boolean)
language plpgsql as $$
#variable_conflict use_column
declare
    conflict record;
    fresh text[];
begin
    perform postil._check_session(record_runs.tenant);
    perform postil._check_histories(histories);
    if not exists (select from postil.tenant t where t.id = record_runs.tenant) then
        perform postil._refuse('PS012', format('there is no tenant %L', left(record_runs.tenant, 80)));
    end if;
    select doc ->> 'run_id' as run_id into conflict from jsonb_array_elements(histories) doc group by 1 having count(*) > 1 limit 1;
    if found then
        perform postil._refuse('PS004', format('run %s occurs twice in one call', conflict.run_id), 'histories', 'Record each run once.');
    end if;

    with history as (
        select doc, doc ->> 'run_id' as run_id, coalesce(doc ->> 'status', 'completed') as status,
               coalesce(postil._time(doc -> 'recorded_at', 'recorded_at'), postil._time(doc -> 'started_at', 'started_at'), now()) as recorded_at
          from jsonb_array_elements(histories) doc
    ),
    inserted as (
        insert into postil.run (tenant, id, lane, head, status, name, root_id, trigger_source, trigger_action, schedule_id,
                                root_source, root_schedule_id, actor_kind, actor_id, actor_version, input, result, error, metadata,
                                content_hash, recorded_at, started_at, ended_at)
        select record_runs.tenant, run_id, postil._lane(record_runs.tenant, run_id),
               1 + coalesce(jsonb_array_length(doc -> 'steps'), 0) + (status <> 'running')::integer,
               status, coalesce(doc ->> 'name', run_id), run_id,
               coalesce(doc #>> '{trigger,source}', 'sdk'), coalesce(doc #>> '{trigger,action}', 'trigger'), doc #>> '{trigger,schedule_id}',
               coalesce(doc #>> '{trigger,source}', 'sdk'), doc #>> '{trigger,schedule_id}',
               doc #>> '{actor,kind}', doc #>> '{actor,id}', doc #>> '{actor,version}',
               nullif(doc -> 'input', 'null'), nullif(doc -> 'result', 'null'), nullif(doc -> 'error', 'null'), nullif(doc -> 'metadata', 'null'),
               sha256(convert_to(doc::text, 'UTF8')), recorded_at,
               coalesce(postil._time(doc -> 'started_at', 'started_at'), recorded_at),
               case when status <> 'running' then coalesce(postil._time(doc -> 'ended_at', 'ended_at'), recorded_at) end
          from history
         order by run_id collate "C"  -- two calls insert in one order, so that they cannot deadlock
            on conflict do nothing
        returning id
    )
    select coalesce(array_agg(id), '{}') into fresh from inserted;

    select r.id into conflict
      from jsonb_array_elements(histories) doc
      join postil.run r on r.tenant = record_runs.tenant and r.id = doc ->> 'run_id'
     where r.id <> all (fresh) and r.content_hash is distinct from sha256(convert_to(doc::text, 'UTF8'))
     order by r.id limit 1;
    if found then
        perform postil._refuse('PS004', format('run %s is recorded with other content', conflict.id), 'histories',
                               'Record the other history under another run id.');
    end if;

    perform postil._record_steps(record_runs.tenant, (
        select jsonb_agg(doc) from jsonb_array_elements(histories) doc where doc ->> 'run_id' = any (fresh)));
    return query
        select r.id, r.head, r.id = any (fresh)
          from jsonb_array_elements(histories) with ordinality x(doc, n)
          join postil.run r on r.tenant = record_runs.tenant and r.id = doc ->> 'run_id'
         order by x.n;
end
$$;

-- Store the steps of runs that were just inserted, and their events in order: run:created, the steps, the end.
-- One statement, so that each step is taken apart once.
create or replace function postil._record_steps(p_tenant text, histories jsonb)
returns void language plpgsql as $$
#variable_conflict use_column
declare
    missing record;
begin
    if histories is null then
        return;
    end if;

    select doc ->> 'run_id' as run_id, s.n - 1 as n, s.step ->> 'stage_id' as stage_id into missing
      from jsonb_array_elements(histories) doc
     cross join jsonb_array_elements(doc -> 'steps') with ordinality s(step, n)
     where s.step ->> 'stage_id' is not null
       and not jsonb_path_exists(doc -> 'steps', '$[*] ? (@.id == $id && @.type starts with "stage:")',
                                 jsonb_build_object('id', s.step -> 'stage_id'))
     limit 1;
    if found then
        perform postil._refuse('PS009', format('%s: steps[%s] names stage %L, which the history lacks', missing.run_id, missing.n, missing.stage_id), 'steps.stage_id');
    end if;

    with recorded as materialized (
        select r, doc from jsonb_array_elements(histories) doc join postil.run r on r.tenant = p_tenant and r.id = doc ->> 'run_id'
    ),
    step as materialized (
        select (h.r).id as run_id, s.n + 1 as run_seq, s.step, s.step ->> 'type' as type, s.step ->> 'id' as id,
               coalesce((s.step ->> 'at')::timestamptz, (h.r).recorded_at) as at,
               s.step #>> '{actor,kind}' as actor_kind, s.step #>> '{actor,id}' as actor_id, s.step #>> '{actor,version}' as actor_version
          from recorded h cross join jsonb_array_elements(h.doc -> 'steps') with ordinality s(step, n)
    ),
    staged as (
        insert into postil.stage (tenant, run_id, attempt, id, name, status, actor_kind, actor_id, actor_version, result, error, started_at, ended_at)
        select p_tenant, run_id, 1, id, min(step ->> 'name'),
               case when bool_or(type = 'stage:failed') then 'failed' when bool_or(type = 'stage:completed') then 'completed' else 'running' end,
               (array_agg(actor_kind order by run_seq) filter (where actor_kind is not null))[1],
               (array_agg(actor_id order by run_seq) filter (where actor_kind is not null))[1],
               (array_agg(actor_version order by run_seq) filter (where actor_kind is not null))[1],
               (array_agg(step -> 'result' order by run_seq) filter (where step ? 'result'))[1],
               (array_agg(step -> 'error' order by run_seq) filter (where step ? 'error'))[1],
               min(at), max(at) filter (where type <> 'stage:started')
          from step where type like 'stage:%'
         group by run_id, id
        returning stage.*
    ),
    called as (
        insert into postil.tool_call (tenant, run_id, id, attempt, stage_id, kind, name, status, actor_kind, actor_id, actor_version,
                                      arguments, result, error, started_at, ended_at, duration_ms)
        select p_tenant, run_id, id, 1, step ->> 'stage_id', coalesce(step ->> 'kind', 'tool'), step ->> 'name', split_part(type, ':', 2),
               actor_kind, actor_id, actor_version, step -> 'arguments', step -> 'result', step -> 'error',
               at - make_interval(secs => coalesce(least((step ->> 'duration_ms')::float8, 3.6e6), 0) / 1000), at,
               (step ->> 'duration_ms')::float8
          from step where type like 'tool_call:%'
        returning tool_call.*
    ),
    note as materialized (
        select postil.uuidv7() as note_id, step.* from step where type = 'annotation:created'
    ),
    noted as (
        insert into postil.annotation (id, tenant, run_id, run_seq, attempt, try, stage_id, group_id, scope, scope_id,
                                       actor_kind, actor_id, actor_version, key, value, payload, idempotency_key, recorded_at)
        select note_id, p_tenant, run_id, run_seq, 1, (step ->> 'try')::integer, step ->> 'stage_id',
               case when step ? 'group' then first_value(note_id) over (partition by run_id, step -> 'group' order by run_seq)
                    else note_id end,
               coalesce(step ->> 'scope', case when step ->> 'stage_id' is null then 'run' else 'stage' end),
               coalesce(step ->> 'scope_id', case when step ->> 'scope' is null then step ->> 'stage_id' end),
               actor_kind, actor_id, actor_version,
               step ->> 'key', step -> 'value', step -> 'payload', step ->> 'idempotency_key',
               coalesce(postil._time(step -> 'recorded_at', 'recorded_at'), at)
          from note
        returning annotation.*
    ),
    happened as (
        select (r).id as run_id, 1::bigint as run_seq, 'run:created' as type, 'runs/' || (r).id as subject, (r).recorded_at as at,
               postil._run_data(r, true) || '{"status": "running", "result": null, "error": null, "ended_at": null}' as data
          from recorded
        union all
        select run_id, run_seq, 'annotation:created', 'annotations/' || id, recorded_at, postil._annotation_data(noted.*::postil.annotation)
          from noted
        union all
        select s.run_id, s.run_seq, s.type, 'stages/' || g.id, s.at,
               postil._stage_data(g.*::postil.stage)
               || case when s.type = 'stage:started' then '{"status": "running", "result": null, "error": null, "ended_at": null}'::jsonb else '{}' end
          from step s join staged g on g.run_id = s.run_id and g.id = s.id
         where s.type like 'stage:%'
        union all
        select s.run_id, s.run_seq, s.type, 'tool-calls/' || t.id, s.at, postil._tool_call_data(t.*::postil.tool_call)
          from step s join called t on t.run_id = s.run_id and t.id = s.id
         where s.type like 'tool_call:%'
        union all
        select (r).id, (r).head, 'run:' || (r).status, 'runs/' || (r).id, (r).ended_at, postil._run_data(r)
          from recorded where (r).status <> 'running'
    )
    insert into postil.event (lane, tenant, run_id, run_seq, type, subject, attempt, root_run, recorded_at, data)
    select postil._lane(p_tenant, run_id), p_tenant, run_id, run_seq, type, subject, 1, run_id, at, data
      from happened order by run_id, run_seq;
end
$$;
