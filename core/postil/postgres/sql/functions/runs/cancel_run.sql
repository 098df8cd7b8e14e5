create or replace function postil.cancel_run(
    tenant text,
    run_id text,
    reason text default null,
    actor jsonb default null,
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
begin
    return query select * from postil._cancel_run(tenant, run_id, reason, actor, recorded_at, context);
end
$$;

comment on function postil.cancel_run(text, text, text, jsonb, timestamptz, jsonb) is
$$Cancels a run. Its pending interactions and its unfinished stages are cancelled too.

tenant, run_id: the run.
reason: up to 2000 characters, recorded as the annotation cancellation.reason.
actor: {kind, id, version} of who cancelled the run.
recorded_at: when it was cancelled; defaults to now.
context: {causation_id, traceparent} of the events.

Returns the receipt of the run, then that of the annotation if there is a reason. If the run is cancelled
already, it returns created = false.

Raises PS001 (no such run), PS003 (the run has ended), PS006 (the reason is too long), PS007, PS008, PS012
(no such tenant), PS017.$$;

create or replace function postil._cancel_run(
    p_tenant text, p_run_id text, p_reason text, p_actor jsonb, p_recorded_at timestamptz, p_context jsonb)
returns setof postil.receipt
language plpgsql as $$
declare
    r postil.run;
    at timestamptz := coalesce(postil._check_time(p_recorded_at, 'recorded_at'), now());
    receipts postil.receipt[];
begin
    perform postil._check_actor(p_actor, 'actor');
    perform postil._check_context(p_context);
    if length(p_reason) > 2000 then
        perform postil._refuse(
            'PS006', format('reason has %s characters, the limit is 2000', length(p_reason)), 'reason');
    end if;
    r := postil._lock_run(p_tenant, p_run_id);
    if r.status = 'cancelled' then
        return query select 'run', r.id, r.head, false;
        return;
    end if;
    perform postil._refuse_ended(r);
    if p_reason is not null then
        receipts := array(select a from postil.annotate(
            r.tenant, r.id,
            jsonb_build_array(jsonb_build_object('key', 'cancellation.reason', 'value', p_reason)),
            p_actor, null, p_recorded_at, p_context) a);
    end if;
    return query select 'run', r.id, postil._end_run(r, 'cancelled', at, p_actor, p_context), true;
    return query select * from unnest(receipts);
end
$$;
