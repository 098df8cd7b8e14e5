-- What a write returns. The first row is the thing written: kind 'run', 'stage', 'tool_call' or 'interaction'.
-- The annotations written with it follow in the order given: kind 'annotation'.
create type postil.receipt as (
    kind    text,
    id      text,     -- of the thing within its run; of an annotation its UUID
    run_seq bigint,   -- of its event
    created boolean   -- false if an earlier call had stored it
);
