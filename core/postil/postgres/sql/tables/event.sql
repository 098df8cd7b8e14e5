-- The event log: everything that happened. It is also the outbox. It is insert-only: publishing writes
-- nothing here.

-- CACHE must stay 1: a position is drawn under the run's row lock and orders the run's events.
-- With a larger cache a later writer could draw a smaller number.
create sequence postil.event_position as bigint cache 1;

create table postil.event (
    position        bigint not null default nextval('postil.event_position'),
    xid             xid8 not null default pg_current_xact_id(),
    lane            smallint not null,
    tenant          text not null,
    run_id          text not null,
    run_seq         bigint not null,
    event_id        uuid not null default postil.uuidv7(),
    type            text not null,
    -- What in the run the event is about: annotations/<id>, stages/<id>, tool-calls/<id>, interactions/<id>,
    -- or runs/<id>.
    subject         text not null,
    attempt         integer not null,
    root_run        text not null,
    causation_id    text,
    traceparent     text,
    recorded_at     timestamptz not null,
    created_at      timestamptz not null default now(),
    data            jsonb not null,
    primary key (position)
) partition by range (position);
create index event_by_xid on postil.event (xid);
-- Each partition also has a unique index on (tenant, run_id, run_seq), made with it by postil.extend_log():
-- a partitioned unique index would have to contain the position.

comment on table postil.event is
$$The event log, which is also the outbox: every event of every run, in partitions by position. The database
refuses to change or delete a row. Within a run, run_seq is 1, 2, 3 … without a gap, and position rises with
it.$$;
