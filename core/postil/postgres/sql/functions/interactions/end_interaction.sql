-- What resolving and cancelling an interaction have in common.

create or replace function postil._find_interaction(p_run postil.run, p_id text)
returns postil.interaction language plpgsql as $$
declare
    i postil.interaction;
begin
    select * into i from postil.interaction where tenant = p_run.tenant and run_id = p_run.id and id = p_id;
    if not found then
        perform postil._refuse(
            'PS013', format('run %s has no interaction %L', p_run.id, left(p_id, 220)), 'interaction_id');
    end if;
    return i;
end
$$;

create or replace function postil._end_interaction(
    p_interaction postil.interaction, p_status text, p_answer jsonb, p_actor jsonb, p_at timestamptz)
returns postil.interaction language sql as $$
    update postil.interaction x
       set status = p_status, answer = p_answer, ended_at = p_at, actor_kind = p_actor ->> 'kind',
           actor_id = p_actor ->> 'id', actor_version = p_actor ->> 'version'
     where x.tenant = p_interaction.tenant and x.run_id = p_interaction.run_id and x.id = p_interaction.id
    returning x.*
$$;

create or replace function postil._resume_if_answered(p_run postil.run, p_at timestamptz, p_context jsonb)
returns void language plpgsql as $$
begin
    if p_run.status = 'waiting_for_interaction' and not exists (
        select from postil.interaction i
         where i.tenant = p_run.tenant and i.run_id = p_run.id and i.status = 'pending')
    then
        perform postil._set_run_status(p_run, 'running', 'run:resumed', p_at, p_context);
    end if;
end
$$;
