-- What a write returns. The first row is the thing written: kind 'run', 'stage', 'tool_call' or
-- 'interaction'. The annotations written with it follow in the order given: kind 'annotation'.
create type postil.receipt as (
    kind    text,
    id      text,     -- the id of the thing within its run; for an annotation its UUID
    run_seq bigint,   -- the number of its event within the run
    created boolean   -- false if an earlier call had stored it
);

comment on type postil.receipt is
$$What a write returns. The first row is the thing written; the annotations written with it follow.$$;
