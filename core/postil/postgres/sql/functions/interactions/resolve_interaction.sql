create or replace function postil.resolve_interaction(
    tenant text,
    run_id text,
    interaction_id text,
    answer jsonb,
    actor jsonb default null,
    annotations jsonb default '[]',
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
begin
    return query select * from postil._resolve_interaction(
        tenant, run_id, interaction_id, answer, actor, annotations, recorded_at, context);
end
$$;

comment on function postil.resolve_interaction(text, text, text, jsonb, jsonb, jsonb, timestamptz, jsonb) is
$$Resolves an interaction with its answer; the first answer stands. The run continues when it has no pending
interaction left.

tenant, run_id, interaction_id: the interaction.
answer: for an approval {"outcome": "accept" or "decline", "note": text}, which is recorded as approval.*
    annotations; for any other kind any JSON.
actor: {kind, id, version} of who answered.
annotations: as in annotate. Their events come before the event of the interaction.
recorded_at: when it was answered; defaults to now.
context: {causation_id, traceparent} of the events.

Returns the receipt of the interaction, then a receipt for each annotation; those of the approval come last.
If the same actor gave the same answer before, and there are no annotations, it returns created = false.

Raises PS001 (no such run), PS004 (another value under the same idempotency_key), PS005 and PS006 (malformed
or too large annotation or answer), PS007, PS008, PS009 (an annotation names a stage that the run lacks),
PS012 (no such tenant), PS013 (no such interaction), PS014 (it is resolved or cancelled already, also because
its run has ended), PS017.$$;

create or replace function postil._resolve_interaction(
    p_tenant text, p_run_id text, p_interaction_id text, p_answer jsonb, p_actor jsonb, p_annotations jsonb,
    p_recorded_at timestamptz, p_context jsonb)
returns setof postil.receipt
language plpgsql as $$
declare
    r postil.run;
    i postil.interaction;
    at timestamptz := coalesce(postil._check_time(p_recorded_at, 'recorded_at'), now());
    annotations jsonb := p_annotations;
    receipts postil.receipt[];
    seq bigint;
begin
    perform postil._check_actor(p_actor, 'actor');
    perform postil._check_json(p_answer, 'answer', 16384);
    perform postil._check_annotations(p_annotations, 'annotations');
    perform postil._check_context(p_context);
    if p_answer is null then
        perform postil._refuse('PS017', 'an answer is needed', 'answer');
    end if;
    r := postil._lock_run(p_tenant, p_run_id);
    i := postil._find_interaction(r, p_interaction_id);
    if i.status = 'resolved' and i.answer = p_answer
       and postil._actor(i.actor_kind, i.actor_id, i.actor_version) is not distinct from
           postil._actor(p_actor ->> 'kind', p_actor ->> 'id', p_actor ->> 'version')
       and jsonb_array_length(p_annotations) = 0
    then
        return query select 'interaction', i.id, r.head, false;  -- a retry of the answer that stands
        return;
    elsif i.status <> 'pending' then
        perform postil._refuse(
            'PS014', format('interaction %L of run %s is %s already%s', i.id, r.id, i.status,
                            coalesce(' (by ' || i.actor_id || ')', '')), 'interaction_id');
    end if;
    perform postil._refuse_ended(r);
    if i.kind = 'approval' then
        if jsonb_typeof(p_answer) <> 'object'
           or coalesce(p_answer ->> 'outcome', '') not in ('accept', 'decline')
        then
            perform postil._refuse(
                'PS017', 'the answer to an approval is {"outcome": "accept" or "decline", "note": …}',
                'answer.outcome');
        end if;
        annotations := annotations || postil._approval_annotations(i.id, p_answer, p_actor, at);
    end if;
    receipts := array(select a from postil.annotate(
        r.tenant, r.id, annotations, p_actor, i.stage_id, at, p_context) a);
    i := postil._end_interaction(i, 'resolved', p_answer, p_actor, at);
    seq := postil._append(r, 'interaction:resolved', 'interactions/' || i.id, at, postil._interaction_data(i),
                          p_context);
    perform postil._resume_if_answered(r, at, p_context);
    return query select 'interaction', i.id, seq, true;
    return query select * from unnest(receipts);
end
$$;

-- The annotations approval.* that the answer to an approval leaves, in the scope of the interaction.
create or replace function postil._approval_annotations(
    p_interaction_id text, p_answer jsonb, p_actor jsonb, p_at timestamptz)
returns jsonb language sql stable as $$
    select postil._as_convention(
        jsonb_build_array(
            jsonb_build_object('key', 'approval.outcome', 'value', p_answer -> 'outcome'),
            jsonb_build_object('key', 'approval.approvers',
                               'value', jsonb_build_array(coalesce(p_actor ->> 'id', 'unknown'))),
            jsonb_build_object('key', 'approval.timestamp', 'value', postil._rfc3339(p_at)))
        || case when coalesce(p_answer -> 'note', 'null') <> 'null'
                then jsonb_build_array(
                    jsonb_build_object('key', 'approval.note', 'value', p_answer -> 'note'))
                else '[]' end,
        jsonb_build_object('scope', 'interaction', 'scope_id', p_interaction_id))
$$;
