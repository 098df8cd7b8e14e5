create or replace function postil.ask(
    tenant text,
    run_id text,
    prompt text,
    interaction_id text default null,
    kind text default 'approval',
    assignee text default null,
    stage_id text default null,
    recorded_at timestamptz default null,
    context jsonb default null)
returns setof postil.receipt
language plpgsql as $$
begin
    return query select * from postil._ask(
        tenant, run_id, prompt, coalesce(interaction_id, postil.uuidv7()::text), kind, assignee, stage_id,
        recorded_at, context);
end
$$;

comment on function postil.ask(text, text, text, text, text, text, text, timestamptz, jsonb) is
$$Creates an interaction: a question that the run waits for. The run is waiting_for_interaction until it has
no pending interaction. A pending run starts with it.

tenant, run_id: the run.
prompt: the text of the question, 1 to 10,000 characters.
interaction_id: defaults to a new UUID.
kind: approval (the default), question, or any other.
assignee: who should answer.
stage_id: the stage that asks, in the run's current attempt.
recorded_at: when it was asked; defaults to now.
context: {causation_id, traceparent} of the events.

Returns the receipt of the interaction; created = false if the same question was asked under this id.

Raises PS001 (no such run), PS002 and PS003 (the run was cancelled or has ended), PS007, PS008, PS009 (no
such stage), PS012 (no such tenant), PS014 (the id is another question's), PS017.$$;

create or replace function postil._ask(
    p_tenant text, p_run_id text, p_prompt text, p_interaction_id text, p_kind text, p_assignee text,
    p_stage_id text, p_recorded_at timestamptz, p_context jsonb)
returns setof postil.receipt
language plpgsql as $$
declare
    r postil.run;
    i postil.interaction;
    seq bigint;
begin
    perform postil._check_id(p_interaction_id, 'interaction_id');
    perform postil._check_id(p_kind, 'kind');
    perform postil._check_id(coalesce(p_assignee, 'none'), 'assignee');
    perform postil._check_time(p_recorded_at, 'recorded_at');
    perform postil._check_context(p_context);
    if p_prompt is null or length(p_prompt) not between 1 and 10000 then
        perform postil._refuse('PS017', 'prompt must have 1 to 10,000 characters', 'prompt');
    end if;
    r := postil._lock_live_run(p_tenant, p_run_id, p_context);
    perform postil._check_stage(r, p_stage_id);
    insert into postil.interaction (tenant, run_id, id, attempt, stage_id, kind, prompt,
                                    assignee, status, asked_at)
    values (r.tenant, r.id, p_interaction_id, r.attempt, p_stage_id, p_kind, p_prompt, p_assignee, 'pending',
            coalesce(p_recorded_at, now()))
    on conflict do nothing
    returning * into i;
    if not found then
        select * into i from postil.interaction
         where tenant = r.tenant and run_id = r.id and id = p_interaction_id;
        if (i.prompt, i.kind, i.assignee) is distinct from (p_prompt, p_kind, p_assignee) then
            perform postil._refuse('PS014', format('run %s has another interaction %L', r.id, i.id),
                                   'interaction_id', 'Give the new question its own id.');
        end if;
        return query select 'interaction', i.id, postil._head(r), false;
        return;
    end if;
    seq := postil._append(r, 'interaction:created', 'interactions/' || i.id, i.asked_at,
                          postil._interaction_data(i), p_context);
    if r.status = 'running' then
        r := postil._set_run_status(r, 'waiting_for_interaction', 'run:suspended', i.asked_at, p_context);
    end if;
    return query select 'interaction', i.id, seq, true;
end
$$;
