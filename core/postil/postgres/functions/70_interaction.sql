-- Interactions: questions a run waits on. While one is pending the run is waiting_for_interaction.

create or replace function postil.ask(
    tenant text, run_id text, prompt text, interaction_id text default null, kind text default 'approval', assignee text default null,
    stage_id text default null, recorded_at timestamptz default null, context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
#variable_conflict use_column
declare
    r postil.run;
    i postil.interaction;
    iid constant text := coalesce(ask.interaction_id, postil.uuidv7()::text);
    seq bigint;
begin
    perform postil._check_id(iid, 'interaction_id');
    perform postil._check_id(ask.kind, 'kind');
    perform postil._check_id(coalesce(ask.assignee, 'anybody'), 'assignee');
    perform postil._check_time(ask.recorded_at, 'recorded_at');
    perform postil._check_context(ask.context);
    if ask.prompt is null or length(ask.prompt) not between 1 and 10000 then
        perform postil._refuse('PS017', 'prompt must have 1 to 10,000 characters', 'prompt');
    end if;
    r := postil._lock_live_run(ask.tenant, ask.run_id, ask.context);
    perform postil._check_stage(r, ask.stage_id);
    insert into postil.interaction (tenant, run_id, id, attempt, stage_id, kind, prompt, assignee, status, asked_at)
    values (r.tenant, r.id, iid, r.attempt, ask.stage_id, ask.kind, ask.prompt, ask.assignee, 'pending', coalesce(ask.recorded_at, now()))
    on conflict do nothing
    returning * into i;
    if not found then
        select * into i from postil.interaction x where x.tenant = r.tenant and x.run_id = r.id and x.id = iid;
        if (i.prompt, i.kind, i.assignee) is distinct from (ask.prompt, ask.kind, ask.assignee) then
            perform postil._refuse('PS014', format('run %s has another interaction %L', r.id, iid), 'interaction_id',
                                   'Give the new question an id of its own.');
        end if;
        return query select 'interaction', iid, postil._head(r), false;
        return;
    end if;
    seq := postil._append(r, 'interaction:created', 'interactions/' || i.id, i.asked_at, postil._interaction_data(i), ask.context);
    if r.status = 'running' then
        r := postil._set_run_status(r, 'waiting_for_interaction', 'run:suspended', i.asked_at, ask.context);
    end if;
    return query select 'interaction', iid, seq, true;
end
$$;

-- The first answer stands. An approval is answered {"outcome": "accept" | "decline", "note": text}, and leaves approval.* annotations;
-- a question of any other kind takes any JSON.
create or replace function postil.resolve_interaction(
    tenant text, run_id text, interaction_id text, answer jsonb, actor jsonb default null, annotations jsonb default '[]',
    recorded_at timestamptz default null, context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
#variable_conflict use_column
declare
    r postil.run;
    i postil.interaction;
    at timestamptz := coalesce(postil._check_time(resolve_interaction.recorded_at, 'recorded_at'), now());
    notes jsonb := resolve_interaction.annotations;
    written postil.receipt[];
    seq bigint;
begin
    perform postil._check_actor(resolve_interaction.actor, 'actor');
    perform postil._check_json(resolve_interaction.answer, 'answer', 16384);
    perform postil._check_annotations(notes, 'annotations');
    perform postil._check_context(resolve_interaction.context);
    if resolve_interaction.answer is null then
        perform postil._refuse('PS017', 'an answer is needed', 'answer');
    end if;
    r := postil._lock_run(resolve_interaction.tenant, resolve_interaction.run_id);
    i := postil._find_interaction(r, resolve_interaction.interaction_id);
    if i.status = 'resolved' and i.answer = resolve_interaction.answer
       and postil._actor(i.actor_kind, i.actor_id, i.actor_version) is not distinct from
           postil._actor(resolve_interaction.actor ->> 'kind', resolve_interaction.actor ->> 'id', resolve_interaction.actor ->> 'version')
       and jsonb_array_length(notes) = 0
    then
        return query select 'interaction', i.id, r.head, false;  -- a retry of the answer that stands
        return;
    elsif i.status <> 'pending' then
        perform postil._refuse('PS014', format('interaction %L of run %s is %s already%s', i.id, r.id, i.status,
                                               coalesce(' (by ' || i.actor_id || ')', '')), 'interaction_id');
    end if;
    perform postil._refuse_ended(r);
    if i.kind = 'approval' then
        if jsonb_typeof(resolve_interaction.answer) <> 'object'
           or coalesce(resolve_interaction.answer ->> 'outcome', '') not in ('accept', 'decline') then
            perform postil._refuse('PS017', 'an approval is answered {"outcome": "accept" or "decline", "note": …}', 'answer.outcome');
        end if;
        notes := notes || jsonb_build_array(
            jsonb_build_object('key', 'approval.outcome', 'value', resolve_interaction.answer -> 'outcome', 'group', 999999999),
            jsonb_build_object('key', 'approval.approvers', 'value', jsonb_build_array(coalesce(resolve_interaction.actor ->> 'id', 'unknown')), 'group', 999999999),
            jsonb_build_object('key', 'approval.timestamp', 'value', postil._rfc3339(at), 'group', 999999999));
        if resolve_interaction.answer ? 'note' and resolve_interaction.answer -> 'note' <> 'null' then
            notes := notes || jsonb_build_array(jsonb_build_object('key', 'approval.note', 'value', resolve_interaction.answer -> 'note', 'group', 999999999));
        end if;
        select jsonb_agg(case when note ->> 'group' = '999999999'
                              then note || jsonb_build_object('scope', 'interaction', 'scope_id', i.id) else note end order by n)
          into notes from jsonb_array_elements(notes) with ordinality x(note, n);
    end if;
    written := array(select a from postil.annotate(
        r.tenant, r.id, notes, resolve_interaction.actor, i.stage_id, at, resolve_interaction.context) a);
    i := postil._end_interaction(r, i, 'resolved', resolve_interaction.answer, resolve_interaction.actor, at);
    seq := postil._append(r, 'interaction:resolved', 'interactions/' || i.id, at, postil._interaction_data(i), resolve_interaction.context);
    perform postil._resume_if_answered(r, at, resolve_interaction.context);
    return query select 'interaction', i.id, seq, true;
    return query select * from unnest(written);
end
$$;

create or replace function postil.cancel_interaction(
    tenant text, run_id text, interaction_id text, actor jsonb default null, recorded_at timestamptz default null, context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
#variable_conflict use_column
declare
    r postil.run;
    i postil.interaction;
    at timestamptz := coalesce(postil._check_time(cancel_interaction.recorded_at, 'recorded_at'), now());
    seq bigint;
begin
    perform postil._check_actor(cancel_interaction.actor, 'actor');
    perform postil._check_context(cancel_interaction.context);
    r := postil._lock_run(cancel_interaction.tenant, cancel_interaction.run_id);
    i := postil._find_interaction(r, cancel_interaction.interaction_id);
    if i.status = 'cancelled' then
        return query select 'interaction', i.id, r.head, false;
        return;
    elsif i.status = 'resolved' then
        perform postil._refuse('PS014', format('interaction %L of run %s is resolved already', i.id, r.id), 'interaction_id');
    end if;
    i := postil._end_interaction(r, i, 'cancelled', null, cancel_interaction.actor, at);
    seq := postil._append(r, 'interaction:cancelled', 'interactions/' || i.id, at, postil._interaction_data(i), cancel_interaction.context);
    perform postil._resume_if_answered(r, at, cancel_interaction.context);
    return query select 'interaction', i.id, seq, true;
end
$$;

create or replace function postil._find_interaction(r postil.run, p_id text)
returns postil.interaction language plpgsql as $$
declare
    i postil.interaction;
begin
    select * into i from postil.interaction x where x.tenant = r.tenant and x.run_id = r.id and x.id = p_id;
    if not found then
        perform postil._refuse('PS013', format('run %s has no interaction %L', r.id, left(p_id, 220)), 'interaction_id');
    end if;
    return i;
end
$$;

create or replace function postil._end_interaction(
    r postil.run, i postil.interaction, to_status text, p_answer jsonb, by_actor jsonb, at timestamptz)
returns postil.interaction language sql as $$
    update postil.interaction x
       set status = to_status, answer = p_answer, ended_at = at,
           actor_kind = by_actor ->> 'kind', actor_id = by_actor ->> 'id', actor_version = by_actor ->> 'version'
     where x.tenant = r.tenant and x.run_id = r.id and x.id = i.id
    returning x.*
$$;

create or replace function postil._resume_if_answered(r postil.run, at timestamptz, context jsonb)
returns void language plpgsql as $$
begin
    if r.status = 'waiting_for_interaction' and not exists (
        select from postil.interaction x where x.tenant = r.tenant and x.run_id = r.id and x.status = 'pending')
    then
        perform postil._set_run_status(r, 'running', 'run:resumed', at, context);
    end if;
end
$$;
