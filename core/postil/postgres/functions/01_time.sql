-- The one spelling of a time on the wire: RFC 3339, UTC, microseconds; whatever the session's TimeZone and DateStyle.
create or replace function postil._rfc3339(t timestamptz)
returns text language sql stable parallel safe as $$
    select to_char(t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
