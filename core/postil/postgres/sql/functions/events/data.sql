-- The data of each type of event, built from the row stored and never from the input. Nulls are kept: null is
-- a value. All are declared stable, because jsonb_build_object is: otherwise the planner would not inline
-- them, and they are called for every event.

create or replace function postil._actor(p_kind text, p_id text, p_version text)
returns jsonb language sql stable as $$
    select case when p_kind is not null
                then jsonb_build_object('kind', p_kind, 'id', p_id, 'version', p_version) end
$$;

create or replace function postil._annotation_data(p_annotation postil.annotation)
returns jsonb language sql stable as $$
    select jsonb_build_object(
        'id', (p_annotation).id,
        'key', (p_annotation).key,
        'value', (p_annotation).value,
        'payload', (p_annotation).payload,
        'actor', case when (p_annotation).actor_kind is not null
                      then jsonb_build_object('kind', (p_annotation).actor_kind,
                                              'id', (p_annotation).actor_id,
                                              'version', (p_annotation).actor_version) end,
        'scope', (p_annotation).scope,
        'scope_id', (p_annotation).scope_id,
        'stage_id', (p_annotation).stage_id,
        'attempt', (p_annotation).attempt,
        'try', (p_annotation).try,
        'group_id', (p_annotation).group_id,
        'idempotency_key', (p_annotation).idempotency_key)
$$;

-- The input and the metadata never change, so only run:created carries them (`p_whole`).
create or replace function postil._run_data(p_run postil.run, p_whole boolean default false)
returns jsonb language sql stable as $$
    select jsonb_build_object(
        'id', p_run.id, 'name', p_run.name, 'status', p_run.status, 'attempt', p_run.attempt,
        'parent_id', p_run.parent_id, 'root_id', p_run.root_id, 'depth', p_run.depth,
        'replay_of', p_run.replay_of,
        'trigger', jsonb_build_object('source', p_run.trigger_source, 'action', p_run.trigger_action,
                                      'schedule_id', p_run.schedule_id),
        'root', jsonb_build_object('source', p_run.root_source, 'schedule_id', p_run.root_schedule_id),
        'actor', postil._actor(p_run.actor_kind, p_run.actor_id, p_run.actor_version),
        'result', p_run.result, 'error', p_run.error,
        'started_at', postil._rfc3339(p_run.started_at), 'ended_at', postil._rfc3339(p_run.ended_at))
        || case when p_whole then jsonb_build_object('input', p_run.input, 'metadata', p_run.metadata)
                else '{}' end
$$;

create or replace function postil._stage_data(p_stage postil.stage)
returns jsonb language sql stable as $$
    select jsonb_build_object(
        'id', p_stage.id, 'name', p_stage.name, 'status', p_stage.status, 'attempt', p_stage.attempt,
        'actor', postil._actor(p_stage.actor_kind, p_stage.actor_id, p_stage.actor_version),
        'result', p_stage.result, 'error', p_stage.error,
        'started_at', postil._rfc3339(p_stage.started_at), 'ended_at', postil._rfc3339(p_stage.ended_at))
$$;

create or replace function postil._tool_call_data(p_call postil.tool_call)
returns jsonb language sql stable as $$
    select jsonb_build_object(
        'id', p_call.id, 'kind', p_call.kind, 'name', p_call.name, 'status', p_call.status,
        'attempt', p_call.attempt, 'stage_id', p_call.stage_id,
        'actor', postil._actor(p_call.actor_kind, p_call.actor_id, p_call.actor_version),
        'arguments', p_call.arguments, 'result', p_call.result, 'error', p_call.error,
        'started_at', postil._rfc3339(p_call.started_at), 'ended_at', postil._rfc3339(p_call.ended_at),
        'duration_ms', p_call.duration_ms)
$$;

create or replace function postil._interaction_data(p_interaction postil.interaction)
returns jsonb language sql stable as $$
    select jsonb_build_object(
        'id', p_interaction.id, 'kind', p_interaction.kind, 'prompt', p_interaction.prompt,
        'assignee', p_interaction.assignee, 'status', p_interaction.status,
        'attempt', p_interaction.attempt, 'stage_id', p_interaction.stage_id, 'answer', p_interaction.answer,
        'actor', postil._actor(p_interaction.actor_kind, p_interaction.actor_id, p_interaction.actor_version),
        'asked_at', postil._rfc3339(p_interaction.asked_at),
        'ended_at', postil._rfc3339(p_interaction.ended_at))
$$;
