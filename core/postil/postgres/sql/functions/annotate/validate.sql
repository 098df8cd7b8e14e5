-- What makes an annotation well formed.

-- What is wrong with one annotation; null if it is well formed. Called for every annotation that is not
-- plain: a chain of cheap tests, with the costly ones behind a test that they can matter at all. It has no
-- subquery, so that the planner inlines it.
create or replace function postil._fault_in_annotation(p_annotation jsonb)
returns postil.fault language sql stable as $$
    select case
        when jsonb_typeof(p_annotation) <> 'object'
            then row('PS005', null, 'an annotation is an object {key, value, …}')::postil.fault
        when jsonb_typeof(p_annotation -> 'key') is distinct from 'string'
            then row('PS005', 'key', 'an annotation needs a key')::postil.fault
        when length(p_annotation ->> 'key') not between 1 and 200
            then row('PS005', 'key', 'a key has 1 to 200 characters, this has '
                                     || length(p_annotation ->> 'key'))::postil.fault
        when p_annotation ->> 'key' !~ '^[a-z][a-z0-9_-]*(\.[a-z0-9_][a-z0-9_-]*)*$'
            then row('PS005', 'key',
                     'a key is made of lower-case dotted segments, as in decision.outcome')::postil.fault
        when not p_annotation ? 'value'
            then row('PS005', 'value', 'a value is needed (null is one)')::postil.fault
        -- Escapes make JSON at most six times as long as its text.
        when octet_length(p_annotation ->> 'value') > 2700
             and octet_length((p_annotation -> 'value')::text) > 16384
            then row('PS006', 'value', 'the value has ' || octet_length((p_annotation -> 'value')::text)
                                       || ' bytes of JSON, the limit is 16384')::postil.fault
        when jsonb_typeof(p_annotation -> 'value') in ('object', 'array')
             and postil._too_deep(p_annotation -> 'value')
            then row('PS005', 'value', 'the value is nested deeper than 64 levels')::postil.fault
        when octet_length(p_annotation ->> 'value') > 308 and postil._has_huge_number(p_annotation -> 'value')
            then row('PS005', 'value', 'the value holds a number beyond the range of a double')::postil.fault
        when p_annotation ? 'payload' and octet_length((p_annotation -> 'payload')::text) > 262144
            then row('PS006', 'payload', 'the payload has ' || octet_length((p_annotation -> 'payload')::text)
                                         || ' bytes of JSON, the limit is 262144')::postil.fault
        when p_annotation ? 'payload' and postil._too_deep(p_annotation -> 'payload')
            then row('PS005', 'payload', 'the payload is nested deeper than 64 levels')::postil.fault
        when p_annotation ? 'payload' and octet_length(p_annotation ->> 'payload') > 308
             and postil._has_huge_number(p_annotation -> 'payload')
            then row('PS005', 'payload',
                     'the payload holds a number beyond the range of a double')::postil.fault
        when postil._bad_text(p_annotation -> 'scope')
            then row('PS005', 'scope', 'scope must be a text of 1 to 200 characters')::postil.fault
        when postil._bad_text(p_annotation -> 'scope_id')
            then row('PS005', 'scope_id', 'scope_id must be a text of 1 to 200 characters')::postil.fault
        when postil._bad_text(p_annotation -> 'stage_id')
            then row('PS005', 'stage_id', 'stage_id must be a text of 1 to 200 characters')::postil.fault
        when postil._bad_text(p_annotation -> 'idempotency_key')
            then row('PS005', 'idempotency_key',
                     'idempotency_key must be a text of 1 to 200 characters')::postil.fault
        when postil._bad_number(p_annotation -> 'attempt')
            then row('PS005', 'attempt', 'attempt must be a whole number')::postil.fault
        when postil._bad_number(p_annotation -> 'try')
            then row('PS005', 'try', 'try must be a whole number')::postil.fault
        when postil._bad_number(p_annotation -> 'group')
            then row('PS005', 'group', 'group must be a whole number')::postil.fault
        when p_annotation - postil._annotation_fields() <> '{}'
            then postil._unknown_field('PS005', p_annotation, postil._annotation_fields(), 'an annotation')
    end
$$;

create or replace function postil._annotation_fields()
returns text[] language sql immutable as $$
    select array['key', 'value', 'payload', 'actor', 'scope', 'scope_id', 'stage_id', 'attempt', 'try',
                 'group', 'idempotency_key', 'recorded_at']
$$;

-- True for what most annotations are: a key and a small plain value. One expression, which PL/pgSQL keeps
-- compiled for the session.
create or replace function postil._is_plain_annotation(p_annotation jsonb)
returns boolean language sql stable as $$
    select jsonb_typeof(p_annotation) = 'object'
       and jsonb_typeof(p_annotation -> 'key') = 'string' and length(p_annotation ->> 'key') <= 200
       and p_annotation ->> 'key' ~ '^[a-z][a-z0-9_-]*(\.[a-z0-9_][a-z0-9_-]*)*$'
       and p_annotation ? 'value' and jsonb_typeof(p_annotation -> 'value') not in ('object', 'array')
       and coalesce(octet_length(p_annotation ->> 'value'), 0)
           <= case jsonb_typeof(p_annotation -> 'value') when 'number' then 308 else 2700 end
       and not postil._bad_number(p_annotation -> 'group')
       and p_annotation - '{key,value,group}'::text[] = '{}'
$$;

create or replace function postil._check_annotations(p_annotations jsonb, p_field text)
returns void language plpgsql stable as $$
declare
    annotation jsonb;
    fault postil.fault;
begin
    if jsonb_typeof(p_annotations) is distinct from 'array' then
        perform postil._refuse('PS005', format('%s must be an array of annotations', p_field), p_field);
    end if;
    for n in 0 .. jsonb_array_length(p_annotations) - 1 loop
        annotation := p_annotations -> n;
        if postil._is_plain_annotation(annotation) is not true then
            fault := postil._fault_in_annotation(annotation);
            if fault.code is not null then
                perform postil._refuse_fault(fault, format('%s[%s]', p_field, n),
                                             format('%s[%s]: ', p_field, n));
            end if;
        end if;
    end loop;
end
$$;

-- Check well-formed annotations against the locked run: whether it has not ended, and has their attempts and
-- stages. `p_place` is the path of the annotations in an error.
create or replace function postil._check_annotations_against_run(
    p_run postil.run, p_annotations jsonb, p_stage_id text, p_live boolean, p_place text)
returns void language plpgsql as $$
declare
    item record;
begin
    if p_live then
        perform postil._refuse_ended(p_run);
    end if;
    for item in
        select format('%s[%s]', p_place, a.n - 1) as place, a.doc,
               coalesce(a.doc ->> 'stage_id', p_stage_id) as stage_id,
               coalesce((a.doc ->> 'attempt')::integer, p_run.attempt) as attempt
          from jsonb_array_elements(p_annotations) with ordinality as a(doc, n)
         where a.doc ?| array['actor', 'attempt', 'stage_id'] or p_stage_id is not null
    loop
        perform postil._check_actor(item.doc -> 'actor', item.place || '.actor');
        if item.attempt not between 1 and p_run.attempt then
            perform postil._refuse('PS005', format('run %s has attempts 1 to %s', p_run.id, p_run.attempt),
                                   item.place || '.attempt');
        end if;
        if item.stage_id is not null and not exists (
            select from postil.stage s
             where s.tenant = p_run.tenant and s.run_id = p_run.id
               and s.attempt = item.attempt and s.id = item.stage_id)
        then
            perform postil._refuse_unknown_stage(p_run.id, item.stage_id, item.attempt,
                                                 item.place || '.stage_id');
        end if;
    end loop;
end
$$;
