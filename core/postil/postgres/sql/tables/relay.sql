-- How far each lane of the log has been published. Cursor rows are the only rows the relay updates.

create table postil.relay_lane (
    lane            smallint primary key check (lane between 0 and 63),
    epoch           bigint not null default 0,
    owner           text,
    lease_until     timestamptz,
    -- Everything visible in lo is acknowledged by Kafka.
    lo              pg_snapshot not null default '3:3:',
    -- The window being walked, and the last position of it that is acknowledged with all before it.
    hi              pg_snapshot,
    after           bigint,
    updated_at      timestamptz not null default now(),
    check ((hi is null) = (after is null))
) with (fillfactor = 50);
insert into postil.relay_lane (lane) select generate_series(0, 63);

comment on table postil.relay_lane is
$$The lanes, each with the relay that owns it now and how far its events are published.$$;

-- The server whose transaction ids the cursors hold, recorded by the first relay.
-- On any other server, such as one restored from a dump, the cursors have no meaning.
create table postil.relay_origin (
    only_row            boolean primary key default true check (only_row),
    system_identifier   bigint not null,
    recorded_at         timestamptz not null default now()
);

comment on table postil.relay_origin is
$$The server whose transaction ids the rows of postil.relay_lane hold. The first relay records it.$$;

-- Runs whose next event Kafka refuses permanently. The rest of the lane continues, and the cursor passes
-- them: what they have not published is in the event log from run_seq on.
create table postil.parked_run (
    tenant              text not null,
    run_id              text not null,
    lane                smallint not null,
    run_seq             bigint not null,
    event_id            uuid not null,
    reason              text not null,
    parked_at           timestamptz not null default now(),
    -- Set by an operator: the relay then publishes the run from run_seq on, and deletes the row.
    unpark_requested_at timestamptz,
    primary key (tenant, run_id)
);

comment on table postil.parked_run is
$$The parked runs: Kafka refuses their next event permanently. Other runs continue.$$;
