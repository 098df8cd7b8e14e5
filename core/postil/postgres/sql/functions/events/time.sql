-- The one form of a time in events: RFC 3339, UTC, microseconds, whatever the session's TimeZone and
-- DateStyle are.
create or replace function postil._rfc3339(p_time timestamptz)
returns text language sql stable parallel safe as $$
    select to_char(p_time at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
