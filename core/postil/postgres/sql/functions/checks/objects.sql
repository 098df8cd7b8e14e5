-- Checks of the small objects that many writes take: an actor, a trigger, a context.

create or replace function postil._check_actor(p_actor jsonb, p_field text)
returns void language plpgsql immutable as $$
declare
    part text;
begin
    if p_actor is null or p_actor = 'null' then
        return;
    end if;
    if jsonb_typeof(p_actor) <> 'object' then
        perform postil._refuse('PS017', format('%s must be an object {kind, id, version}', p_field), p_field);
    end if;
    foreach part in array array['kind', 'id', 'version'] loop
        if part <> 'kind' and coalesce(p_actor -> part, 'null') = 'null' then
            continue;
        end if;
        if jsonb_typeof(p_actor -> part) is distinct from 'string'
           or length(p_actor ->> part) not between 1 and 200
        then
            perform postil._refuse(
                'PS017', format('%s.%s must be a text of 1 to 200 characters', p_field, part),
                p_field || '.' || part);
        end if;
    end loop;
    select f.key into part
      from jsonb_object_keys(p_actor) as f(key) where f.key not in ('kind', 'id', 'version') limit 1;
    if found then
        perform postil._refuse(
            'PS017', format('%s.%s is not a field of an actor', p_field, part), p_field || '.' || part);
    end if;
end
$$;

create or replace function postil._check_trigger(p_trigger jsonb)
returns void language plpgsql immutable as $$
declare
    part text;
begin
    if p_trigger is null then
        return;
    end if;
    if jsonb_typeof(p_trigger) <> 'object' then
        perform postil._refuse('PS017', 'trigger must be an object {source, action, schedule_id}', 'trigger');
    end if;
    for part in select jsonb_object_keys(p_trigger) loop
        if part not in ('source', 'action', 'schedule_id') then
            perform postil._refuse(
                'PS017', format('trigger.%s is not a field of a trigger', part), 'trigger.' || part);
        elsif p_trigger -> part = 'null' then
            continue;
        elsif jsonb_typeof(p_trigger -> part) <> 'string' or length(p_trigger ->> part) not between 1 and 200
              or (part <> 'schedule_id' and p_trigger ->> part !~ '^[a-z][a-z0-9_.-]{0,63}$')
        then
            perform postil._refuse('PS017', format('trigger.%s is malformed', part), 'trigger.' || part);
        end if;
    end loop;
end
$$;

create or replace function postil._check_context(p_context jsonb)
returns void language plpgsql immutable as $$
declare
    part text;
begin
    if p_context is null then
        return;
    end if;
    if jsonb_typeof(p_context) <> 'object' then
        perform postil._refuse('PS017', 'context must be an object {causation_id, traceparent}', 'context');
    end if;
    for part in select jsonb_object_keys(p_context) loop
        if part not in ('causation_id', 'traceparent') then
            perform postil._refuse(
                'PS017', format('context.%s is not a field of a context', part), 'context.' || part);
        elsif jsonb_typeof(p_context -> part) <> 'string'
              or length(p_context ->> part) not between 1 and 200
        then
            perform postil._refuse(
                'PS017', format('context.%s must be a text of 1 to 200 characters', part),
                'context.' || part);
        end if;
    end loop;
    -- https://www.w3.org/TR/trace-context/#traceparent-header
    if p_context ? 'traceparent'
       and p_context ->> 'traceparent' !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'
    then
        perform postil._refuse(
            'PS017', 'context.traceparent is not a W3C trace parent', 'context.traceparent');
    end if;
end
$$;
