-- An event before it is appended: what postil._append_events() takes.
create type postil.new_event as (
    lane        smallint,
    run_id      text,
    run_seq     bigint,
    type        text,
    subject     text,
    attempt     integer,
    root_run    text,
    recorded_at timestamptz,
    data        jsonb
);
