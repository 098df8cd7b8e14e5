create or replace function postil.cancel_interaction(
    tenant text,
    run_id text,
    interaction_id text,
    actor jsonb default null,
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
begin
    return query select * from postil._cancel_interaction(
        tenant, run_id, interaction_id, actor, recorded_at, context);
end
$$;

comment on function postil.cancel_interaction(text, text, text, jsonb, timestamptz, jsonb) is
$$Withdraws an interaction. The run continues when it has no pending interaction left.

tenant, run_id, interaction_id: the interaction.
actor: {kind, id, version} of who withdrew it.
recorded_at: when it was withdrawn; defaults to now.
context: {causation_id, traceparent} of the events.

Returns the receipt of the interaction; created = false if it is cancelled already.

Raises PS001 (no such run), PS007, PS008, PS012 (no such tenant), PS013 (no such interaction), PS014 (it is
resolved already), PS017.$$;

create or replace function postil._cancel_interaction(
    p_tenant text, p_run_id text, p_interaction_id text, p_actor jsonb, p_recorded_at timestamptz,
    p_context jsonb)
returns setof postil.receipt
language plpgsql as $$
declare
    r postil.run;
    i postil.interaction;
    at timestamptz := coalesce(postil._check_time(p_recorded_at, 'recorded_at'), now());
    seq bigint;
begin
    perform postil._check_actor(p_actor, 'actor');
    perform postil._check_context(p_context);
    r := postil._lock_run(p_tenant, p_run_id);
    i := postil._find_interaction(r, p_interaction_id);
    if i.status = 'cancelled' then
        return query select 'interaction', i.id, r.head, false;
        return;
    elsif i.status = 'resolved' then
        perform postil._refuse(
            'PS014', format('interaction %L of run %s is resolved already', i.id, r.id), 'interaction_id');
    end if;
    i := postil._end_interaction(i, 'cancelled', null, p_actor, at);
    seq := postil._append(r, 'interaction:cancelled', 'interactions/' || i.id, at,
                          postil._interaction_data(i), p_context);
    perform postil._resume_if_answered(r, at, p_context);
    return query select 'interaction', i.id, seq, true;
end
$$;
