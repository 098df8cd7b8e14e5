-- This function is the hot path, so it has no private body behind a wrapper: a call more would cost 2 to 4 %.
-- It reads no table itself, so that its plain parameter names cannot be taken for columns.
create or replace function postil.annotate(
    tenant text,
    run_id text,
    annotations jsonb,
    actor jsonb default null,
    stage_id text default null,
    recorded_at timestamptz default null,
    context jsonb default null,
    live boolean default false)
returns setof postil.receipt
language plpgsql as $$
begin
    perform postil._check_session(tenant), postil._check_annotations(annotations, 'annotations'),
            postil._check_actor(actor, 'actor'), postil._check_time(recorded_at, 'recorded_at'),
            postil._check_context(context);
    if jsonb_array_length(annotations) = 0 then
        return;
    end if;
    -- Annotations of the run as a whole need only the statement that stores them. It takes the run's lock
    -- itself.
    if live or stage_id is not null
       or jsonb_path_exists(annotations, '$[*] ? (exists(@.idempotency_key) || exists(@.stage_id)
                                                  || exists(@.attempt) || exists(@.actor))')
    then
        return query select * from postil._annotate_locked(
            tenant, run_id, annotations, actor, stage_id, recorded_at, context, live, 'annotations');
        return;
    end if;
    return query select * from postil._store_annotations(
        tenant, run_id, annotations, actor, stage_id, recorded_at, context, 'annotations');
    if not found then
        perform postil._refuse_unknown_run(tenant, run_id);
    end if;
end
$$;

-- Store well-formed annotations of any kind: take the run's lock, and check them against the run.
-- `p_place` is the path of the annotations in an error.
create or replace function postil._annotate_locked(
    p_tenant text, p_run_id text, p_annotations jsonb, p_actor jsonb, p_stage_id text,
    p_recorded_at timestamptz, p_context jsonb, p_live boolean, p_place text)
returns setof postil.receipt
language plpgsql as $$
begin
    perform postil._check_annotations_against_run(
        postil._lock_run(p_tenant, p_run_id), p_annotations, p_stage_id, p_live, p_place);
    if jsonb_path_exists(p_annotations, '$[*].idempotency_key ? (@ != null)') then
        return query select * from postil._annotate_once(
            p_tenant, p_run_id, p_annotations, p_actor, p_stage_id, p_recorded_at, p_context, p_place);
    else
        return query select * from postil._store_annotations(
            p_tenant, p_run_id, p_annotations, p_actor, p_stage_id, p_recorded_at, p_context, p_place);
    end if;
end
$$;

comment on function postil.annotate(text, text, jsonb, jsonb, text, timestamptz, jsonb, boolean) is
$$Records annotations on a run, each with its event.

tenant, run_id: the run.
annotations: an array of {key, value, payload, actor, scope, scope_id, stage_id, attempt, try, group,
    idempotency_key, recorded_at}; key and value are required. Annotations with the same group number belong
    together.
actor, stage_id, recorded_at: what annotations without their own actor, stage_id or recorded_at get;
    recorded_at defaults to now.
context: {causation_id, traceparent} of the events.
live: if true, a run that has ended is refused.

Returns a receipt for each annotation, in the order given. With an idempotency_key, an annotation that is
stored already returns the stored receipt with created = false.

Raises PS001 (no such run), PS002 and PS003 (the run was cancelled or has ended, with live), PS004 (another
value under the same idempotency_key), PS005 (malformed annotation), PS006 (too large), PS007, PS008, PS009
(no such stage), PS012 (no such tenant), PS017.$$;
