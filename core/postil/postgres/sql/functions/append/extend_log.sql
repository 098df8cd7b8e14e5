-- A partition holds 2^24 positions (16.8 million events, about 10 GB). Eight ahead last a day at 1,500
-- events/s with every relay down. Creating a partition blocks writers only while its catalogue entry is made.
create or replace function postil.extend_log(ahead integer default 8)
returns integer language plpgsql as $$
begin
    return postil._extend_log(ahead);
end
$$;

comment on function postil.extend_log(integer) is
$$Keeps empty partitions of the event log ahead of the writers. The relay calls it about once a minute.

ahead: number of partitions from the current one on, 0 to 1000; defaults to 8.

Returns the number of partitions that this call created.

Raises PS017.$$;

create or replace function postil._extend_log(p_ahead integer)
returns integer language plpgsql as $$
declare
    width constant bigint := 1 << 24;
    current_partition constant bigint := (select last_value / width from postil.event_position);
    created integer := 0;
    name text;
begin
    if p_ahead is null or p_ahead not between 0 and 1000 then
        perform postil._refuse('PS017', 'ahead must be a number of partitions, 0 to 1000', 'ahead');
    end if;
    for n in current_partition .. current_partition + p_ahead - 1 loop
        name := format('event_%s', lpad(n::text, 6, '0'));
        if to_regclass('postil.' || name) is null then
            -- One at a time: two relays extending at once would collide on the name. The catalogue is read
            -- after the lock, because to_regclass caches that there was no such table, and the lock does not
            -- clear its cache.
            perform pg_advisory_xact_lock(x'706f7374696c01'::bigint);
            if not exists (
                select from pg_class c where c.relnamespace = 'postil'::regnamespace and c.relname = name)
            then
                execute format(
                    'create table postil.%I (like postil.event including defaults including constraints)',
                    name);
                execute format('create unique index on postil.%I (tenant, run_id, run_seq)', name);
                execute format('create trigger append_only_truncate before truncate on postil.%I
                                for each statement execute function postil.refuse_change()', name);
                execute format('alter table postil.%I enable always trigger append_only_truncate', name);
                execute format(
                    'alter table postil.event attach partition postil.%I for values from (%s) to (%s)',
                    name, n * width, (n + 1) * width);
                execute format('alter table postil.%I enable always trigger append_only', name);
                created := created + 1;
            end if;
        end if;
    end loop;
    return created;
end
$$;
