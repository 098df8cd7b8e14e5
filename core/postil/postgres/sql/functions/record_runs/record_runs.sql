-- Whole histories at once: imports and backfills. The work is set-based, because a loop over events costs ten
-- times as much. No other transaction can see a new run before this one commits, so its new row is as good as
-- its lock.

create or replace function postil.record_runs(tenant text, histories jsonb, context jsonb default null)
returns table (run_id text, events bigint, created boolean)
language plpgsql as $$
begin
    return query select * from postil._record_runs(tenant, histories, context);
end
$$;

comment on function postil.record_runs(text, jsonb, jsonb) is
$$Records whole runs that happened elsewhere, all or nothing.

tenant: the tenant of the runs.
histories: an array of {run_id, name, status, recorded_at, started_at, ended_at, actor, trigger, input,
    result, error, metadata, steps}; run_id is required. A step is {type, at, …} with the fields of the
    event of its type: annotation:created, stage:started, stage:completed, stage:failed, tool_call:completed
    or tool_call:failed.
context: {causation_id, traceparent} of the events.

Returns a row for each history, in the order given: the run's id, the number of its events, and created =
false if the same history is recorded already.

Raises PS004 (another content under the same run_id), PS005 and PS006 (malformed or too large annotation or
JSON), PS007, PS008, PS009 (a step names a stage that the history lacks), PS012 (no such tenant), PS017.$$;

create or replace function postil._record_runs(p_tenant text, p_histories jsonb, p_context jsonb)
returns table (run_id text, events bigint, created boolean)
language plpgsql as $$
#variable_conflict use_column
declare
    conflict record;
    fresh text[];
begin
    perform postil._check_session(p_tenant);
    perform postil._check_context(p_context);
    perform postil._check_histories(p_histories);
    perform postil._check_tenant(p_tenant);
    select h.doc ->> 'run_id' as run_id into conflict
      from jsonb_array_elements(p_histories) as h(doc) group by 1 having count(*) > 1 limit 1;
    if found then
        perform postil._refuse('PS004', format('run %s occurs twice in one call', conflict.run_id),
                               'histories', 'Record each run once.');
    end if;

    with history as (
        select h.doc, h.doc ->> 'run_id' as run_id, coalesce(h.doc ->> 'status', 'completed') as status,
               coalesce(postil._time(h.doc -> 'recorded_at', 'recorded_at'),
                        postil._time(h.doc -> 'started_at', 'started_at'), now()) as recorded_at
          from jsonb_array_elements(p_histories) as h(doc)
    ),
    inserted as (
        insert into postil.run (
            tenant, id, lane, head, status, name, root_id, trigger_source, trigger_action, schedule_id,
            root_source, root_schedule_id, actor_kind, actor_id, actor_version, input, result, error,
            metadata, content_hash, recorded_at, started_at, ended_at)
        select p_tenant, run_id, postil._lane(p_tenant, run_id),
               1 + coalesce(jsonb_array_length(doc -> 'steps'), 0) + (status <> 'running')::integer,
               status, coalesce(doc ->> 'name', run_id), run_id,
               coalesce(doc #>> '{trigger,source}', 'sdk'), coalesce(doc #>> '{trigger,action}', 'trigger'),
               doc #>> '{trigger,schedule_id}',
               coalesce(doc #>> '{trigger,source}', 'sdk'), doc #>> '{trigger,schedule_id}',
               doc #>> '{actor,kind}', doc #>> '{actor,id}', doc #>> '{actor,version}',
               nullif(doc -> 'input', 'null'), nullif(doc -> 'result', 'null'),
               nullif(doc -> 'error', 'null'), nullif(doc -> 'metadata', 'null'),
               sha256(convert_to(doc::text, 'UTF8')), recorded_at,
               coalesce(postil._time(doc -> 'started_at', 'started_at'), recorded_at),
               case when status <> 'running'
                    then coalesce(postil._time(doc -> 'ended_at', 'ended_at'), recorded_at) end
          from history
         order by run_id collate "C"  -- two calls insert in one order, so that they cannot deadlock
            on conflict do nothing
        returning id
    )
    select coalesce(array_agg(id), '{}') into fresh from inserted;

    select r.id into conflict
      from jsonb_array_elements(p_histories) as h(doc)
      join postil.run r on r.tenant = p_tenant and r.id = h.doc ->> 'run_id'
     where r.id <> all (fresh) and r.content_hash is distinct from sha256(convert_to(h.doc::text, 'UTF8'))
     order by r.id limit 1;
    if found then
        perform postil._refuse('PS004', format('run %s is recorded with other content', conflict.id),
                               'histories', 'Record the other history under another run id.');
    end if;

    perform postil._record_steps(p_tenant, (
        select jsonb_agg(h.doc) from jsonb_array_elements(p_histories) as h(doc)
         where h.doc ->> 'run_id' = any (fresh)), p_context);
    return query
        select r.id, r.head, r.id = any (fresh)
          from jsonb_array_elements(p_histories) with ordinality as h(doc, n)
          join postil.run r on r.tenant = p_tenant and r.id = h.doc ->> 'run_id'
         order by h.n;
end
$$;
