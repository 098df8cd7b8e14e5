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

-- Runs whose next event Kafka refuses for good. The rest of the lane goes on.
create table postil.parked_run (
    tenant          text not null,
    run_id          text not null,
    lane            smallint not null,
    run_seq         bigint not null,
    event_id        uuid not null,
    reason          text not null,
    parked_at       timestamptz not null default now(),
    primary key (tenant, run_id)
);
