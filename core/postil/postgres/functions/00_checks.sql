-- What every write checks, and how it refuses. All raise a SQLSTATE of class PS with the field's path in DETAIL;
-- postil/errors.py lists them with what to do.

create or replace function postil._refuse(code text, message text, field text default null, advice text default null)
returns void language plpgsql as $$
begin
    if field is null and advice is null then
        raise exception using errcode = code, message = message;
    elsif field is null then
        raise exception using errcode = code, message = message, hint = advice;
    elsif advice is null then
        raise exception using errcode = code, message = message, detail = field;
    else
        raise exception using errcode = code, message = message, detail = field, hint = advice;
    end if;
end
$$;

-- A row visible before it is durable could be published and then lost in a crash;
-- and a session bound to a tenant (setting postil.tenant) writes for that tenant only.
create or replace function postil._check_session(tenant text)
returns void language plpgsql as $$
declare
    bound constant text := nullif(current_setting('postil.tenant', true), '');
begin
    if current_setting('synchronous_commit') = 'off' then
        perform postil._refuse('PS008', 'synchronous_commit is off in this transaction', null,
                               'Set it to on (or stronger): a row must not be seen before it is durable.');
    end if;
    if bound is distinct from tenant and bound is not null then
        perform postil._refuse('PS007', format('this session is bound to tenant %L, the call says %L', bound, tenant));
    end if;
end
$$;

create or replace function postil._check_id(value text, field text)
returns void language plpgsql immutable as $$
begin
    if value is null or value = '' or length(value) > 200 then
        perform postil._refuse('PS017', format('%s must have 1 to 200 characters, this has %s', field, coalesce(length(value), 0)), field);
    end if;
end
$$;

-- RFC 3339 has four-digit years, and so have all the event's readers.
create or replace function postil._check_time(value timestamptz, field text)
returns timestamptz language plpgsql immutable as $$
begin
    if value < '0001-01-02 00:00:00Z' or value >= '9999-12-31 00:00:00Z' then
        perform postil._refuse('PS017', format('%s must lie within the years 1 to 9999', field), field);
    end if;
    return value;
end
$$;

create or replace function postil._time(value jsonb, field text)
returns timestamptz language plpgsql stable as $$
begin
    if value is null or value = 'null' then
        return null;
    end if;
    -- A time without its zone would mean another moment in every session.
    if value #>> '{}' !~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$' then
        perform postil._refuse('PS017', format('%s is no RFC 3339 time with a zone: %s', field, left(value::text, 60)), field);
    end if;
    return postil._check_time((value #>> '{}')::timestamptz, field);
exception
    when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
        perform postil._refuse('PS017', format('%s is no time: %s', field, left(value::text, 60)), field);
end
$$;

create or replace function postil._check_actor(actor jsonb, field text)
returns void language plpgsql immutable as $$
declare
    part text;
begin
    if actor is null or actor = 'null' then
        return;
    end if;
    if jsonb_typeof(actor) <> 'object' then
        perform postil._refuse('PS017', format('%s must be an object {kind, id, version}', field), field);
    end if;
    foreach part in array array['kind', 'id', 'version'] loop
        if not actor ? part or (part <> 'kind' and actor -> part = 'null') then
            continue when part <> 'kind';
        end if;
        if jsonb_typeof(actor -> part) is distinct from 'string' or length(actor ->> part) not between 1 and 200 then
            perform postil._refuse('PS017', format('%s.%s must be a text of 1 to 200 characters', field, part), field || '.' || part);
        end if;
    end loop;
    select key into part from jsonb_object_keys(actor) key where key not in ('kind', 'id', 'version') limit 1;
    if found then
        perform postil._refuse('PS017', format('%s.%s is no field of an actor', field, part), field || '.' || part);
    end if;
end
$$;

-- More than 64 objects and arrays inside each other. One expression, so that it is inlined; so is the next.
create or replace function postil._too_deep(value jsonb)
returns boolean language sql immutable as $$
    select jsonb_path_exists(value, 'strict $.**{64} ? (@.type() == "object" || @.type() == "array")')
$$;

-- jsonb keeps numbers of 131,072 digits, which the event's readers would take for infinity or refuse.
-- Such a number is more than 308 bytes long: callers ask only where there are as many.
create or replace function postil._has_huge_number(value jsonb)
returns boolean language sql immutable as $$
    select jsonb_path_exists(value, 'strict $.** ? (@.type() == "number" && (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308))')
$$;

-- Free-form JSON that is stored: inputs, results, arguments, errors, metadata, payloads.
create or replace function postil._check_json(value jsonb, field text, max_bytes integer default 262144)
returns void language plpgsql immutable as $$
declare
    bytes integer;
begin
    if value is null then
        return;
    end if;
    bytes := octet_length(value::text);
    if bytes > max_bytes then
        perform postil._refuse('PS006', format('%s has %s bytes of JSON, the limit is %s', field, bytes, max_bytes), field);
    end if;
    if postil._too_deep(value) then
        perform postil._refuse('PS017', format('%s is nested deeper than 64 levels', field), field);
    end if;
    if bytes > 308 and postil._has_huge_number(value) then
        perform postil._refuse('PS017', format('%s holds a number beyond the range of a double', field), field);
    end if;
end
$$;

create or replace function postil._actor(kind text, id text, version text)
returns jsonb language sql stable as $$
    select case when kind is not null then jsonb_build_object('kind', kind, 'id', id, 'version', version) end
$$;
