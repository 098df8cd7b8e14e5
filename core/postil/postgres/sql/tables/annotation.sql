-- Annotations: immutable statements about a run. There is no foreign key: the functions that insert here hold
-- the lock of the run's row, so the run exists. A foreign key would take that lock a second time for each
-- row.

create table postil.annotation (
    id              uuid primary key default postil.uuidv7(),
    tenant          text not null,
    run_id          text not null,
    run_seq         bigint not null,
    attempt         integer not null,
    try             integer,
    stage_id        text,
    -- Keys recorded together by one convention (a Decision, an Approval) share the id of the first
    -- annotation. Its payload is stored once, there.
    group_id        uuid not null,
    scope           text not null,
    scope_id        text,
    actor_kind      text,
    actor_id        text,
    actor_version   text,
    key             text not null,
    value           jsonb not null,
    payload         jsonb,
    idempotency_key text,
    recorded_at     timestamptz not null,
    created_at      timestamptz not null default now()
);
create unique index annotation_by_run on postil.annotation (tenant, run_id, run_seq);
create index annotation_by_key on postil.annotation (tenant, key, created_at desc);

-- Outside a stage a key is used once per run. Inside a stage it is used once per stage and attempt,
-- so that the annotations of a rerun are stored.
create unique index annotation_idempotency on postil.annotation
    (tenant, run_id, key, idempotency_key, coalesce(stage_id, ''),
     (case when stage_id is null then 0 else attempt end))
    where idempotency_key is not null;

comment on table postil.annotation is
$$The annotations. The database refuses to change or delete a row. A correction is a new annotation.$$;
