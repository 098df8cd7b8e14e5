create or replace function postil.complete_stage(
    tenant text,
    run_id text,
    stage_id text,
    annotations jsonb default '[]',
    result jsonb default null,
    actor jsonb default null,
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
begin
    return query select * from postil._change_stage(
        tenant, run_id, stage_id, 'completed', 'stage:completed', annotations, result, null,
        actor, recorded_at, context);
end
$$;

comment on function postil.complete_stage(text, text, text, jsonb, jsonb, jsonb, timestamptz, jsonb) is
$$Completes a stage, with annotations.

tenant, run_id, stage_id: a stage of the run's current attempt.
result: any JSON.
annotations: as in annotate. Their scope is the stage, and their events come before the event of the stage.
actor: {kind, id, version} of annotations without their own actor.
recorded_at: when it happened; defaults to now.
context: {causation_id, traceparent} of the events.

Returns the receipt of the stage, then a receipt for each annotation. If the stage was completed with the
same result and no annotations are given, it returns created = false.

Raises PS001 (no such run), PS002 (the run was cancelled; nothing is stored), PS003 (the run has ended),
PS004 (another value under the same idempotency_key), PS005 and PS006 (malformed or too large annotation or
JSON), PS007, PS008, PS009 (no such stage), PS010 (the stage has ended), PS012 (no such tenant), PS017.$$;
