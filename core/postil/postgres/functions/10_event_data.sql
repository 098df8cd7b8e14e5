-- What an event says, built from the row stored and never from the input. Nulls are kept: null is a value.

-- Declared stable, because jsonb_build_object is: only then does the planner inline it, and it is called for every event.
create or replace function postil._annotation_data(a postil.annotation)
returns jsonb language sql stable as $$
    select jsonb_build_object(
        'id', (a).id, 'key', (a).key, 'value', (a).value, 'payload', (a).payload,
        'actor', case when (a).actor_kind is not null
                      then jsonb_build_object('kind', (a).actor_kind, 'id', (a).actor_id, 'version', (a).actor_version) end,
        'scope', (a).scope, 'scope_id', (a).scope_id, 'stage_id', (a).stage_id, 'attempt', (a).attempt, 'try', (a).try,
        'group_id', (a).group_id, 'idempotency_key', (a).idempotency_key)
$$;

-- The input and the metadata never change, so only run:created carries them.
create or replace function postil._run_data(r postil.run, whole boolean default false)
returns jsonb language sql stable as $$
    select jsonb_build_object(
        'id', r.id, 'name', r.name, 'status', r.status, 'attempt', r.attempt,
        'parent_id', r.parent_id, 'root_id', r.root_id, 'depth', r.depth, 'replay_of', r.replay_of,
        'trigger', jsonb_build_object('source', r.trigger_source, 'action', r.trigger_action, 'schedule_id', r.schedule_id),
        'root', jsonb_build_object('source', r.root_source, 'schedule_id', r.root_schedule_id),
        'actor', postil._actor(r.actor_kind, r.actor_id, r.actor_version),
        'result', r.result, 'error', r.error,
        'started_at', postil._rfc3339(r.started_at), 'ended_at', postil._rfc3339(r.ended_at))
        || case when whole then jsonb_build_object('input', r.input, 'metadata', r.metadata) else '{}' end
$$;

create or replace function postil._stage_data(s postil.stage)
returns jsonb language sql stable as $$
    select jsonb_build_object(
        'id', s.id, 'name', s.name, 'status', s.status, 'attempt', s.attempt,
        'actor', postil._actor(s.actor_kind, s.actor_id, s.actor_version), 'result', s.result, 'error', s.error,
        'started_at', postil._rfc3339(s.started_at), 'ended_at', postil._rfc3339(s.ended_at))
$$;

create or replace function postil._tool_call_data(t postil.tool_call)
returns jsonb language sql stable as $$
    select jsonb_build_object(
        'id', t.id, 'kind', t.kind, 'name', t.name, 'status', t.status, 'attempt', t.attempt, 'stage_id', t.stage_id,
        'actor', postil._actor(t.actor_kind, t.actor_id, t.actor_version),
        'arguments', t.arguments, 'result', t.result, 'error', t.error,
        'started_at', postil._rfc3339(t.started_at), 'ended_at', postil._rfc3339(t.ended_at), 'duration_ms', t.duration_ms)
$$;

create or replace function postil._interaction_data(i postil.interaction)
returns jsonb language sql stable as $$
    select jsonb_build_object(
        'id', i.id, 'kind', i.kind, 'prompt', i.prompt, 'assignee', i.assignee, 'status', i.status,
        'attempt', i.attempt, 'stage_id', i.stage_id, 'answer', i.answer,
        'actor', postil._actor(i.actor_kind, i.actor_id, i.actor_version),
        'asked_at', postil._rfc3339(i.asked_at), 'ended_at', postil._rfc3339(i.ended_at))
$$;
