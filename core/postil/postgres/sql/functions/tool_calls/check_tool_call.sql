create or replace function postil._check_tool_call(
    p_tool_call_id text, p_name text, p_kind text, p_arguments jsonb, p_actor jsonb,
    p_recorded_at timestamptz, p_context jsonb)
returns void language plpgsql immutable as $$
begin
    perform postil._check_id(p_tool_call_id, 'tool_call_id');
    perform postil._check_id(p_name, 'name');
    perform postil._check_id(p_kind, 'kind');
    perform postil._check_json(p_arguments, 'arguments');
    perform postil._check_actor(p_actor, 'actor');
    perform postil._check_time(p_recorded_at, 'recorded_at');
    perform postil._check_context(p_context);
end
$$;
