create or replace function postil.fail_stage(
    tenant text,
    run_id text,
    stage_id text,
    error jsonb default null,
    annotations jsonb default '[]',
    actor jsonb default null,
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
begin
    return query select * from postil._change_stage(
        tenant, run_id, stage_id, 'failed', 'stage:failed', annotations, null, error,
        actor, recorded_at, context);
end
$$;

comment on function postil.fail_stage(text, text, text, jsonb, jsonb, jsonb, timestamptz, jsonb) is
$$Fails a stage, with annotations. It adds failure.type and failure.message from the error.

tenant, run_id, stage_id: a stage of the run's current attempt.
error: {type, message} or any other JSON.
annotations: as in annotate. Their scope is the stage, and their events come before the event of the stage.
actor: {kind, id, version} of annotations without their own actor.
recorded_at: when it happened; defaults to now.
context: {causation_id, traceparent} of the events.

Returns the receipt of the stage, then a receipt for each annotation. The annotations failure.* come last.
If the stage failed with the same error and no annotations are given, it returns created = false.

Raises PS001 (no such run), PS002 (the run was cancelled; nothing is stored), PS003 (the run has ended),
PS004 (another value under the same idempotency_key), PS005 and PS006 (malformed or too large annotation or
JSON), PS007, PS008, PS009 (no such stage), PS010 (the stage has ended), PS012 (no such tenant), PS017.$$;
