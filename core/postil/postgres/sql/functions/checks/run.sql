-- Checks against the locked run.

create or replace function postil._check_stage(p_run postil.run, p_stage_id text)
returns void language plpgsql as $$
begin
    if p_stage_id is not null and not exists (
        select from postil.stage s
         where s.tenant = p_run.tenant and s.run_id = p_run.id
           and s.attempt = p_run.attempt and s.id = p_stage_id)
    then
        perform postil._refuse_unknown_stage(p_run.id, p_stage_id, p_run.attempt, 'stage_id');
    end if;
end
$$;

create or replace function postil._refuse_unknown_stage(
    p_run_id text, p_stage_id text, p_attempt integer, p_field text)
returns void language plpgsql as $$
begin
    perform postil._refuse(
        'PS009',
        format('run %s has no stage %L in attempt %s', p_run_id, left(p_stage_id, 220), p_attempt), p_field);
end
$$;
