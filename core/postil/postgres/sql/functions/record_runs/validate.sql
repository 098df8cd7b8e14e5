-- What makes histories well formed.

create or replace function postil._check_histories(p_histories jsonb)
returns void language plpgsql stable as $$
declare
    h record;
begin
    if jsonb_typeof(p_histories) is distinct from 'array' then
        perform postil._refuse('PS017', 'histories must be an array of runs', 'histories');
    end if;
    for h in
        select format('histories[%s]', x.n - 1) as place, x.doc
          from jsonb_array_elements(p_histories) with ordinality as x(doc, n)
    loop
        perform postil._check_history(h.doc, h.place);
    end loop;
    perform postil._check_steps(p_histories);
end
$$;

-- Check all of a history but its steps.
create or replace function postil._check_history(p_history jsonb, p_place text)
returns void language plpgsql stable as $$
declare
    run_id constant text := p_history ->> 'run_id';
    part text;
begin
    if jsonb_typeof(p_history) <> 'object' then
        perform postil._refuse('PS017', 'a history is an object {run_id, steps, …}', p_place);
    end if;
    foreach part in array array['run_id', 'name'] loop
        if jsonb_typeof(p_history -> part) not in ('string', 'null') then
            perform postil._refuse('PS017', format('%s.%s must be a text', p_place, part),
                                   p_place || '.' || part);
        end if;
    end loop;
    perform postil._check_id(run_id, p_place || '.run_id');
    perform postil._check_id(coalesce(p_history ->> 'name', 'x'), p_place || '.name');
    if coalesce(p_history ->> 'status', 'completed')
       not in ('running', 'completed', 'failed', 'cancelled')
    then
        perform postil._refuse(
            'PS017', format('%s: a recorded run is running, completed, failed or cancelled, not %L',
                            run_id, p_history ->> 'status'), p_place || '.status');
    end if;
    perform postil._check_actor(p_history -> 'actor', p_place || '.actor');
    perform postil._check_trigger(nullif(p_history -> 'trigger', 'null'));
    foreach part in array array['input', 'result', 'error', 'metadata'] loop
        perform postil._check_json(p_history -> part, p_place || '.' || part);
    end loop;
    if p_history ? 'steps' and jsonb_typeof(p_history -> 'steps') <> 'array' then
        perform postil._refuse('PS017', format('%s: steps must be an array', run_id), p_place || '.steps');
    end if;
    select f.key into part from jsonb_object_keys(p_history) as f(key)
     where f.key not in ('run_id', 'name', 'status', 'recorded_at', 'started_at', 'ended_at', 'actor',
                         'trigger', 'input', 'result', 'error', 'metadata', 'steps') limit 1;
    if found then
        perform postil._refuse(
            'PS017', format('%s: %s is not a field of a history', run_id, part), p_place || '.' || part);
    end if;
    foreach part in array array['recorded_at', 'started_at', 'ended_at'] loop
        perform postil._time(p_history -> part, p_place || '.' || part);
    end loop;
end
$$;

-- Check all steps of all runs by a few queries: setting one up costs as much as checking a hundred steps with
-- it.
create or replace function postil._check_steps(p_histories jsonb)
returns void language plpgsql stable as $$
declare
    step record;
begin
    for step in
        select x.doc ->> 'run_id' as run_id, x.n - 1 as run, s.n - 1 as n,
               postil._fault_in_step(s.step) as fault
          from jsonb_array_elements(p_histories) with ordinality as x(doc, n)
         cross join jsonb_array_elements(x.doc -> 'steps') with ordinality as s(step, n)
         where (postil._fault_in_step(s.step)).code is not null order by x.n, s.n limit 1
    loop
        perform postil._refuse_fault(step.fault, format('histories[%s].steps[%s]', step.run, step.n),
                                     format('%s: steps[%s]: ', step.run_id, step.n));
    end loop;
    -- There are few actors and many steps: each actor is checked once, where it first occurs.
    for step in
        select distinct on (s.step -> 'actor') s.step -> 'actor' as actor, x.n - 1 as run, s.n - 1 as n
          from jsonb_array_elements(p_histories) with ordinality as x(doc, n)
         cross join jsonb_array_elements(x.doc -> 'steps') with ordinality as s(step, n)
         where s.step ? 'actor' order by s.step -> 'actor', x.n, s.n
    loop
        perform postil._check_actor(step.actor, format('histories[%s].steps[%s].actor', step.run, step.n));
    end loop;
    perform postil._check_step_times(p_histories);
    for step in
        select x.doc ->> 'run_id' as run_id, s.step as doc,
               format('histories[%s].steps[%s]', x.n - 1, s.n - 1) as place
          from jsonb_array_elements(p_histories) with ordinality as x(doc, n)
         cross join jsonb_array_elements(x.doc -> 'steps') with ordinality as s(step, n)
         where s.step ?| '{recorded_at,attempt}'
    loop
        perform postil._time(step.doc -> 'recorded_at', step.place || '.recorded_at');
        if (step.doc ->> 'attempt')::integer <> 1 then
            perform postil._refuse(
                'PS005', format('%s: %s: a recorded history is attempt 1', step.run_id, step.place),
                step.place || '.attempt');
        end if;
    end loop;
    -- A stage starts once and ends once, a tool call ends once, an idempotency key is used once.
    select x.n - 1 as run, max(s.n) - 1 as n, max(x.doc ->> 'run_id') as run_id into step
      from jsonb_array_elements(p_histories) with ordinality as x(doc, n)
     cross join jsonb_array_elements(x.doc -> 'steps') with ordinality as s(step, n)
     where s.step ->> 'type' <> 'annotation:created' or s.step ->> 'idempotency_key' is not null
     group by x.n, split_part(s.step ->> 'type', ':', 1), s.step ->> 'id',
              s.step ->> 'type' = 'stage:started', s.step ->> 'key', s.step ->> 'idempotency_key',
              case when s.step ? 'key' then s.step ->> 'stage_id' end
    having count(*) > 1 order by 1, 2 limit 1;
    if found then
        perform postil._refuse(
            'PS017', format('%s: steps[%s] repeats an earlier step', step.run_id, step.n),
            format('histories[%s].steps[%s]', step.run, step.n));
    end if;
end
$$;
