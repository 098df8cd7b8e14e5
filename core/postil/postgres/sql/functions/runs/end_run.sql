-- End the locked run and what has not ended in it: pending interactions and unfinished stages are cancelled,
-- each with its event. Returns the run_seq of the run's own event, the last.
create or replace function postil._end_run(
    p_run postil.run, p_status text, p_at timestamptz, p_actor jsonb, p_context jsonb)
returns bigint language plpgsql as $$
declare
    i postil.interaction;
    s postil.stage;
begin
    for i in
        update postil.interaction
           set status = 'cancelled', ended_at = p_at, actor_kind = p_actor ->> 'kind',
               actor_id = p_actor ->> 'id', actor_version = p_actor ->> 'version'
         where tenant = p_run.tenant and run_id = p_run.id and status = 'pending'
        returning *
    loop
        perform postil._append(p_run, 'interaction:cancelled', 'interactions/' || i.id, p_at,
                               postil._interaction_data(i), p_context);
    end loop;
    for s in
        update postil.stage
           set status = 'cancelled', ended_at = p_at
         where tenant = p_run.tenant and run_id = p_run.id and attempt = p_run.attempt
           and status in ('running', 'suspended')
        returning *
    loop
        perform postil._append(p_run, 'stage:cancelled', 'stages/' || s.id, p_at, postil._stage_data(s),
                               p_context);
    end loop;
    return postil._head(postil._set_run_status(p_run, p_status, 'run:' || p_status, p_at, p_context));
end
$$;
