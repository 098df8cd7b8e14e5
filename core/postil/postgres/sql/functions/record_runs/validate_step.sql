-- What makes one step of a history well formed.

-- What is wrong with one step; null if it is well formed. Called for every step, and inlined by the planner.
create or replace function postil._fault_in_step(p_step jsonb)
returns postil.fault language sql stable as $$
    select case
        when jsonb_typeof(p_step) <> 'object'
            then row('PS017', null, 'a step is an object {type, …}')::postil.fault
        when p_step ->> 'type' = 'annotation:created'
            then postil._fault_in_annotation(p_step - 'type' - 'at')
        when coalesce(p_step ->> 'type', '') not in (
            'stage:started', 'stage:completed', 'stage:failed', 'tool_call:completed', 'tool_call:failed')
            then row('PS017', 'type',
                     coalesce(p_step ->> 'type', 'null') || ' is not a type of a step')::postil.fault
        when jsonb_typeof(p_step -> 'id') is distinct from 'string'
             or length(p_step ->> 'id') not between 1 and 200
            then row('PS017', 'id', 'id must be a text of 1 to 200 characters')::postil.fault
        when jsonb_typeof(p_step -> 'name') is distinct from 'string'
             or length(p_step ->> 'name') not between 1 and 200
            then row('PS017', 'name', 'name must be a text of 1 to 200 characters')::postil.fault
        when postil._bad_text(p_step -> 'kind')
            then row('PS017', 'kind', 'kind must be a text of 1 to 200 characters')::postil.fault
        when postil._bad_text(p_step -> 'stage_id')
            then row('PS017', 'stage_id', 'stage_id must be a text of 1 to 200 characters')::postil.fault
        when p_step ? 'duration_ms' and (jsonb_typeof(p_step -> 'duration_ms') not in ('number', 'null')
                                         or (p_step ->> 'duration_ms')::numeric not between 0 and 1e15)
            then row('PS017', 'duration_ms',
                     'duration_ms must be a number of milliseconds, 0 or more')::postil.fault
        when p_step - '{type,at,id,name,actor,result,error}'::text[] <> '{}'
             and p_step - postil._step_fields(p_step) <> '{}'
            then postil._unknown_field('PS017', p_step, postil._step_fields(p_step), 'a step')
        when octet_length(p_step::text) > 262144 and (postil._fault_in_size(p_step)).code is not null
            then postil._fault_in_size(p_step)
        when p_step ?| '{result,error,arguments}'
             and jsonb_path_exists(p_step, 'strict $.**{65} ? (@.type() == "object" || @.type() == "array")')
            then row('PS017', null, 'the step is nested deeper than 64 levels')::postil.fault
        when p_step ?| '{result,error,arguments}' and octet_length(p_step::text) > 308
             and postil._has_huge_number(p_step)
            then row('PS017', null, 'the step holds a number beyond the range of a double')::postil.fault
    end
$$;

create or replace function postil._step_fields(p_step jsonb)
returns text[] language sql stable as $$
    select case when p_step ->> 'type' like 'tool_call:%'
                then '{type,at,id,name,actor,result,error,kind,stage_id,arguments,duration_ms}'::text[]
                else '{type,at,id,name,actor,result,error}'::text[] end
$$;

create or replace function postil._fault_in_size(p_step jsonb)
returns postil.fault language sql immutable as $$
    select row('PS006', f.key, f.key || ' has ' || octet_length(f.value::text)
                               || ' bytes of JSON, the limit is 262144')::postil.fault
      from jsonb_each(p_step) as f
     where f.key in ('result', 'error', 'arguments') and octet_length(f.value::text) > 262144 limit 1
$$;

-- Check the times of all steps of a call in one exception block: a block for each step would cost more than
-- everything else about the step. A time that passes here can be cast.
create or replace function postil._check_step_times(p_histories jsonb)
returns void language plpgsql stable as $$
declare
    wrong boolean;
begin
    begin
        select bool_or(not postil._is_rfc3339(s.step ->> 'at')
                       or (s.step ->> 'at')::timestamptz
                          not between '0001-01-02 00:00:00Z' and '9999-12-30 23:59:59Z')
          into wrong
          from jsonb_array_elements(p_histories) as h(doc)
         cross join jsonb_array_elements(h.doc -> 'steps') as s(step)
         where s.step ->> 'at' is not null;
    exception
        when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
            wrong := true;
    end;
    if wrong then  -- find out which
        perform postil._time(s.step -> 'at', format('histories[%s].steps[%s].at', h.n - 1, s.n - 1))
           from jsonb_array_elements(p_histories) with ordinality as h(doc, n)
          cross join jsonb_array_elements(h.doc -> 'steps') with ordinality as s(step, n);
    end if;
end
$$;
