-- The database refuses every change of the event log and of the annotations, also by their owner.

create function postil.refuse_change() returns trigger
language plpgsql as $$
begin
    raise exception 'postil.% is append-only: % is refused', tg_table_name, tg_op
        using errcode = 'PS018', hint = 'Record a correction as a new annotation.';
end
$$;

create trigger append_only before update or delete on postil.event
    for each row execute function postil.refuse_change();
create trigger append_only before update or delete on postil.annotation
    for each row execute function postil.refuse_change();
create trigger append_only_truncate before truncate on postil.event
    for each statement execute function postil.refuse_change();
create trigger append_only_truncate before truncate on postil.annotation
    for each statement execute function postil.refuse_change();
-- A run's row holds its last run_seq: after a deletion the numbers would start again.
create trigger append_only before delete on postil.run
    for each row execute function postil.refuse_change();
create trigger append_only_truncate before truncate on postil.run
    for each statement execute function postil.refuse_change();

-- Enabled always: a session with session_replication_role = replica skips ordinary triggers.
alter table postil.event enable always trigger append_only;
alter table postil.event enable always trigger append_only_truncate;
alter table postil.annotation enable always trigger append_only;
alter table postil.annotation enable always trigger append_only_truncate;
alter table postil.run enable always trigger append_only;
alter table postil.run enable always trigger append_only_truncate;

revoke all on schema postil from public;
revoke all on all tables in schema postil from public;
