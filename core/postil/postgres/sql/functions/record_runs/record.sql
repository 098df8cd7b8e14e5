-- Store the steps of runs that were just inserted, and append their events in order: run:created, the steps,
-- the end. One statement, so that each step is taken apart once.
create or replace function postil._record_steps(p_tenant text, p_histories jsonb, p_context jsonb)
returns void language plpgsql as $$
declare
    missing record;
    events postil.new_event[];
begin
    if p_histories is null then
        return;
    end if;

    select h.doc ->> 'run_id' as run_id, s.n - 1 as n, s.step ->> 'stage_id' as stage_id into missing
      from jsonb_array_elements(p_histories) as h(doc)
     cross join jsonb_array_elements(h.doc -> 'steps') with ordinality as s(step, n)
     where s.step ->> 'stage_id' is not null
       and not jsonb_path_exists(h.doc -> 'steps', '$[*] ? (@.id == $id && @.type starts with "stage:")',
                                 jsonb_build_object('id', s.step -> 'stage_id'))
     limit 1;
    if found then
        perform postil._refuse(
            'PS009', format('%s: steps[%s] names stage %L, which the history lacks',
                            missing.run_id, missing.n, missing.stage_id), 'steps.stage_id');
    end if;

    with recorded as materialized (
        select r, h.doc
          from jsonb_array_elements(p_histories) as h(doc)
          join postil.run r on r.tenant = p_tenant and r.id = h.doc ->> 'run_id'
    ),
    step as materialized (
        select (h.r).id as run_id, s.n + 1 as run_seq, s.step, s.step ->> 'type' as type,
               s.step ->> 'id' as id, coalesce((s.step ->> 'at')::timestamptz, (h.r).recorded_at) as at,
               s.step #>> '{actor,kind}' as actor_kind, s.step #>> '{actor,id}' as actor_id,
               s.step #>> '{actor,version}' as actor_version
          from recorded h cross join jsonb_array_elements(h.doc -> 'steps') with ordinality as s(step, n)
    ),
    stage as (
        insert into postil.stage (
            tenant, run_id, attempt, id, name, status, actor_kind, actor_id, actor_version, result, error,
            started_at, ended_at)
        select p_tenant, run_id, 1, id, min(step ->> 'name'),
               case when bool_or(type = 'stage:failed') then 'failed'
                    when bool_or(type = 'stage:completed') then 'completed'
                    else 'running' end,
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
    tool_call as (
        insert into postil.tool_call (
            tenant, run_id, id, attempt, stage_id, kind, name, status, actor_kind, actor_id, actor_version,
            arguments, result, error, started_at, ended_at, duration_ms)
        select p_tenant, run_id, id, 1, step ->> 'stage_id', coalesce(step ->> 'kind', 'tool'),
               step ->> 'name', split_part(type, ':', 2), actor_kind, actor_id, actor_version,
               step -> 'arguments', step -> 'result', step -> 'error',
               at - make_interval(secs => coalesce(least((step ->> 'duration_ms')::float8, 3.6e6), 0) / 1000),
               at, (step ->> 'duration_ms')::float8
          from step where type like 'tool_call:%'
        returning tool_call.*
    ),
    input as materialized (
        select postil.uuidv7() as annotation_id, step.* from step where type = 'annotation:created'
    ),
    annotation as (
        insert into postil.annotation (
            id, tenant, run_id, run_seq, attempt, try, stage_id, group_id, scope, scope_id,
            actor_kind, actor_id, actor_version, key, value, payload, idempotency_key, recorded_at)
        select annotation_id, p_tenant, run_id, run_seq, 1, (step ->> 'try')::integer, step ->> 'stage_id',
               case when step ? 'group'
                    then first_value(annotation_id)
                         over (partition by run_id, step -> 'group' order by run_seq)
                    else annotation_id end,
               coalesce(step ->> 'scope', case when step ->> 'stage_id' is null then 'run' else 'stage' end),
               coalesce(step ->> 'scope_id', case when step ->> 'scope' is null then step ->> 'stage_id' end),
               actor_kind, actor_id, actor_version,
               step ->> 'key', step -> 'value', step -> 'payload', step ->> 'idempotency_key',
               coalesce(postil._time(step -> 'recorded_at', 'recorded_at'), at)
          from input
        returning annotation.*
    ),
    event as (
        select (h.r).id as run_id, 1::bigint as run_seq, 'run:created' as type,
               'runs/' || (h.r).id as subject, (h.r).recorded_at as at,
               postil._run_data(h.r, true) || postil._data_before_its_end() as data
          from recorded h
        union all
        select a.run_id, a.run_seq, 'annotation:created', 'annotations/' || a.id, a.recorded_at,
               postil._annotation_data(a.*::postil.annotation)
          from annotation a
        union all
        select s.run_id, s.run_seq, s.type, 'stages/' || g.id, s.at,
               postil._stage_data(g.*::postil.stage)
               || case when s.type = 'stage:started' then postil._data_before_its_end() else '{}' end
          from step s join stage g on g.run_id = s.run_id and g.id = s.id
         where s.type like 'stage:%'
        union all
        select s.run_id, s.run_seq, s.type, 'tool-calls/' || t.id, s.at,
               postil._tool_call_data(t.*::postil.tool_call)
          from step s join tool_call t on t.run_id = s.run_id and t.id = s.id
         where s.type like 'tool_call:%'
        union all
        select (h.r).id, (h.r).head, 'run:' || (h.r).status, 'runs/' || (h.r).id, (h.r).ended_at,
               postil._run_data(h.r)
          from recorded h where (h.r).status <> 'running'
    )
    select array_agg(row(postil._lane(p_tenant, e.run_id), e.run_id, e.run_seq, e.type, e.subject, 1,
                         e.run_id, e.at, e.data)::postil.new_event order by e.run_id, e.run_seq)
      into events from event e;
    perform postil._append_events(p_tenant, p_context, events);
end
$$;

-- How the row of a run or stage differs in the event of its beginning: it is stored as it ended.
create or replace function postil._data_before_its_end()
returns jsonb language sql immutable as $$
    select '{"status": "running", "result": null, "error": null, "ended_at": null}'::jsonb
$$;
