-- Tenants, runs and what happens inside a run. These rows are the current state;
-- the event log (event.sql) is the history. Only the functions of this schema write here.

create table postil.tenant (
    id          text primary key check (id ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    created_at  timestamptz not null default now()
);
insert into postil.tenant (id) values ('default');

comment on table postil.tenant is
$$The tenants. Every row and every event belongs to one. postil.create_tenant() adds a tenant.$$;

create table postil.run (
    tenant              text not null references postil.tenant,
    id                  text not null check (id <> '' and length(id) <= 200),
    -- Fixed at creation: the unit of relay ownership. Stored, because hash functions may change between
    -- versions.
    lane                smallint not null check (lane between 0 and 63),
    -- The last run_seq. Every writer takes this row's lock before it draws a number.
    head                bigint not null default 0,
    attempt             integer not null default 1 check (attempt >= 1),
    status              text not null check (status in
                          ('pending', 'running', 'waiting_for_interaction',
                           'completed', 'failed', 'cancelled')),
    name                text not null,
    parent_id           text,
    root_id             text not null,
    depth               integer not null default 0,
    replay_of           text,
    trigger_source      text not null,
    trigger_action      text not null,
    schedule_id         text,
    root_source         text not null,
    root_schedule_id    text,
    actor_kind          text,
    actor_id            text,
    actor_version       text,
    input               jsonb,
    result              jsonb,
    error               jsonb,
    metadata            jsonb,
    -- Of a history that postil.record_runs recorded: makes a second import a no-op.
    content_hash        bytea,
    recorded_at         timestamptz not null,
    created_at          timestamptz not null default now(),
    started_at          timestamptz,
    ended_at            timestamptz,
    primary key (tenant, id)
) with (fillfactor = 80);  -- room for HOT updates: each write bumps head, which no index covers

create index run_by_time on postil.run (tenant, created_at desc, id desc);
create index run_by_status on postil.run (tenant, status, created_at desc);
create index run_by_root on postil.run (tenant, root_id);
create index run_by_parent on postil.run (tenant, parent_id) where parent_id is not null;

comment on table postil.run is
$$The runs, each in its current state. A row is never deleted: it holds the number of the run's last event.$$;

create table postil.stage (
    tenant          text not null,
    run_id          text not null,
    attempt         integer not null,
    id              text not null check (id <> '' and length(id) <= 200),
    name            text not null,
    status          text not null check (status in
                      ('running', 'suspended', 'completed', 'failed', 'cancelled')),
    actor_kind      text,
    actor_id        text,
    actor_version   text,
    result          jsonb,
    error           jsonb,
    started_at      timestamptz not null,
    ended_at        timestamptz,
    created_at      timestamptz not null default now(),
    primary key (tenant, run_id, attempt, id),
    foreign key (tenant, run_id) references postil.run
);

comment on table postil.stage is
$$The stages of every attempt of a run, each in its current state.$$;

create table postil.tool_call (
    tenant          text not null,
    run_id          text not null,
    id              text not null check (id <> '' and length(id) <= 200),
    attempt         integer not null,
    stage_id        text,
    kind            text not null default 'tool',
    name            text not null,
    status          text not null check (status in ('running', 'completed', 'failed')),
    actor_kind      text,
    actor_id        text,
    actor_version   text,
    arguments       jsonb,
    result          jsonb,
    error           jsonb,
    started_at      timestamptz not null,
    ended_at        timestamptz,
    duration_ms     double precision check (duration_ms >= 0),
    created_at      timestamptz not null default now(),
    primary key (tenant, run_id, id),
    foreign key (tenant, run_id) references postil.run
);

comment on table postil.tool_call is
$$The tool calls of runs. An AI call is a tool call of kind ai.$$;

create table postil.interaction (
    tenant          text not null,
    run_id          text not null,
    id              text not null check (id <> '' and length(id) <= 200),
    attempt         integer not null,
    stage_id        text,
    kind            text not null default 'approval',
    prompt          text not null,
    assignee        text,
    status          text not null check (status in ('pending', 'resolved', 'cancelled')),
    -- 'accept' or 'decline' for an approval; any JSON for a question.
    answer          jsonb,
    actor_kind      text,
    actor_id        text,
    actor_version   text,
    asked_at        timestamptz not null,
    ended_at        timestamptz,
    created_at      timestamptz not null default now(),
    primary key (tenant, run_id, id),
    foreign key (tenant, run_id) references postil.run
);
create index interaction_pending on postil.interaction (tenant, created_at) where status = 'pending';

comment on table postil.interaction is
$$The questions that runs wait for or waited for, each with its answer.$$;
