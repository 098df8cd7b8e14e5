-- Tests of JSON values. Each is one expression in SQL, so that the planner inlines it into the checks that
-- use it: a function call per annotation would cost more than the test.

-- True if more than 64 objects and arrays are nested in each other.
create or replace function postil._too_deep(p_value jsonb)
returns boolean language sql immutable as $$
    select jsonb_path_exists(p_value, 'strict $.**{64} ? (@.type() == "object" || @.type() == "array")')
$$;

-- jsonb stores numbers of 131,072 digits, which the readers of the events would take for infinity or refuse.
-- Such a number is more than 308 bytes long, so callers test the length first.
create or replace function postil._has_huge_number(p_value jsonb)
returns boolean language sql immutable as $$
    select jsonb_path_exists(
        p_value,
        'strict $.** ? (@.type() == "number" && (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308))')
$$;

-- True unless the value is missing, null, or a string of 1 to 200 characters.
create or replace function postil._bad_text(p_value jsonb)
returns boolean language sql immutable as $$
    select case jsonb_typeof(p_value)
               when 'string' then length(p_value #>> '{}') not between 1 and 200
               when 'null' then false
               else p_value is not null
           end
$$;

-- True unless the value is missing, null, or a whole number of up to nine digits.
create or replace function postil._bad_number(p_value jsonb)
returns boolean language sql immutable as $$
    select case jsonb_typeof(p_value)
               when 'number' then p_value::text !~ '^[0-9]{1,9}$'
               when 'null' then false
               else p_value is not null
           end
$$;

-- The fault of a field whose name is not in `p_names`.
create or replace function postil._unknown_field(p_code text, p_object jsonb, p_names text[], p_thing text)
returns postil.fault language sql immutable as $$
    select row(p_code, f.name, f.name || ' is not a field of ' || p_thing)::postil.fault
      from jsonb_object_keys(p_object - p_names) as f(name) limit 1
$$;
