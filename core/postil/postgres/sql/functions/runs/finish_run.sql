create or replace function postil.finish_run(
    tenant text,
    run_id text,
    status text default 'completed',
    result jsonb default null,
    error jsonb default null,
    actor jsonb default null,
    annotations jsonb default '[]',
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
begin
    return query select * from postil._finish_run(
        tenant, run_id, status, result, error, actor, annotations, recorded_at, context);
end
$$;

comment on function postil.finish_run(text, text, text, jsonb, jsonb, jsonb, jsonb, timestamptz, jsonb) is
$$Ends a run, with annotations. Its pending interactions and its unfinished stages are cancelled.

tenant, run_id: the run.
status: completed (the default) or failed.
result, error: any JSON.
actor: {kind, id, version} of who ended the run.
annotations: as in annotate. Their events come before the event of the run.
recorded_at: when the run ended; defaults to now.
context: {causation_id, traceparent} of the events.

Returns the receipt of the run, then a receipt for each annotation. If the run ended in the same way and no
annotations are given, it returns created = false.

Raises PS001 (no such run), PS002 and PS003 (the run was cancelled, or has ended in another way or with
annotations given), PS004 (another value under the same idempotency_key), PS005 and PS006 (malformed
or too large annotation or JSON), PS007, PS008, PS009 (an annotation names a stage that the run lacks), PS012
(no such tenant), PS017.$$;

create or replace function postil._finish_run(
    p_tenant text, p_run_id text, p_status text, p_result jsonb, p_error jsonb, p_actor jsonb,
    p_annotations jsonb, p_recorded_at timestamptz, p_context jsonb)
returns setof postil.receipt
language plpgsql as $$
declare
    r postil.run;
    at timestamptz := coalesce(postil._check_time(p_recorded_at, 'recorded_at'), now());
    receipts postil.receipt[];
begin
    if p_status is null or p_status not in ('completed', 'failed') then
        perform postil._refuse(
            'PS017', format('a run finishes completed or failed, not %L', p_status), 'status');
    end if;
    perform postil._check_json(p_result, 'result');
    perform postil._check_json(p_error, 'error');
    perform postil._check_annotations(p_annotations, 'annotations');
    perform postil._check_context(p_context);
    perform postil._check_actor(p_actor, 'actor');
    r := postil._lock_run(p_tenant, p_run_id);
    if r.status = p_status and r.result is not distinct from p_result and r.error is not distinct from p_error
       and jsonb_array_length(p_annotations) = 0
    then
        return query select 'run', r.id, r.head, false;  -- a retry
        return;
    end if;
    perform postil._refuse_ended(r);
    receipts := array(select a from postil.annotate(
        r.tenant, r.id, p_annotations, p_actor, null, p_recorded_at, p_context) a);
    update postil.run set result = p_result, error = p_error
     where tenant = r.tenant and id = r.id returning * into r;
    return query select 'run', r.id, postil._end_run(r, p_status, at, p_actor, p_context), true;
    return query select * from unnest(receipts);
end
$$;
