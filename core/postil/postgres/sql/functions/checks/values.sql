-- Checks of single values: ids, times, durations and JSON. Each raises PS017 or PS006 with the field's path.

create or replace function postil._check_id(p_value text, p_field text)
returns void language plpgsql immutable as $$
begin
    if p_value is null or p_value = '' or length(p_value) > 200 then
        perform postil._refuse('PS017', format('%s must have 1 to 200 characters, this has %s',
                                               p_field, coalesce(length(p_value), 0)), p_field);
    end if;
end
$$;

-- RFC 3339 allows four-digit years only, and so do the readers of the events.
create or replace function postil._check_time(p_value timestamptz, p_field text)
returns timestamptz language plpgsql immutable as $$
begin
    if p_value < '0001-01-02 00:00:00Z' or p_value >= '9999-12-31 00:00:00Z' then
        perform postil._refuse('PS017', format('%s must lie within the years 1 to 9999', p_field), p_field);
    end if;
    return p_value;
end
$$;

-- Whether a text has the form of an RFC 3339 time. A time without its zone would mean another moment in every
-- session.
create or replace function postil._is_rfc3339(p_value text)
returns boolean language sql immutable as $$
    select p_value ~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)$'
$$;

-- Return the time that a JSON text holds, null for null.
create or replace function postil._time(p_value jsonb, p_field text)
returns timestamptz language plpgsql stable as $$
begin
    if p_value is null or p_value = 'null' then
        return null;
    end if;
    if not postil._is_rfc3339(p_value #>> '{}') then
        perform postil._refuse(
            'PS017',
            format('%s is not an RFC 3339 time with a zone: %s', p_field, left(p_value::text, 60)), p_field);
    end if;
    return postil._check_time((p_value #>> '{}')::timestamptz, p_field);
exception
    when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
        perform postil._refuse(
            'PS017', format('%s is not a time: %s', p_field, left(p_value::text, 60)), p_field);
end
$$;

create or replace function postil._check_duration(p_duration_ms double precision)
returns void language plpgsql immutable as $$
begin
    -- NaN sorts above infinity in PostgreSQL.
    if p_duration_ms < 0 or p_duration_ms >= 'infinity' then
        perform postil._refuse(
            'PS017', 'duration_ms must be a finite number of milliseconds, 0 or more', 'duration_ms');
    end if;
end
$$;

-- Free-form JSON that is stored: inputs, results, arguments, errors, metadata, payloads.
create or replace function postil._check_json(p_value jsonb, p_field text, p_max_bytes integer default 262144)
returns void language plpgsql immutable as $$
declare
    bytes integer;
begin
    if p_value is null then
        return;
    end if;
    bytes := octet_length(p_value::text);
    if bytes > p_max_bytes then
        perform postil._refuse(
            'PS006', format('%s has %s bytes of JSON, the limit is %s', p_field, bytes, p_max_bytes),
            p_field);
    end if;
    if postil._too_deep(p_value) then
        perform postil._refuse('PS017', format('%s is nested deeper than 64 levels', p_field), p_field);
    end if;
    if bytes > 308 and postil._has_huge_number(p_value) then
        perform postil._refuse(
            'PS017', format('%s holds a number beyond the range of a double', p_field), p_field);
    end if;
end
$$;
