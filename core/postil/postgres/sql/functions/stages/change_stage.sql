-- The one change of a started stage, behind complete_stage, fail_stage, suspend_stage and resume_stage.

-- Take the run's lock and find the stage in its current attempt. A cancelled run is refused first:
-- the caller must learn of the cancellation, whatever the stage is.
create or replace function postil._lock_stage(
    p_tenant text, p_run_id text, p_stage_id text, out r postil.run, out s postil.stage)
language plpgsql as $$
begin
    r := postil._lock_run(p_tenant, p_run_id);
    if r.status = 'cancelled' then
        perform postil._refuse_ended(r);
    end if;
    select * into s from postil.stage
     where tenant = r.tenant and run_id = r.id and attempt = r.attempt and id = p_stage_id;
    if not found then
        perform postil._refuse_unknown_stage(r.id, p_stage_id, r.attempt, 'stage_id');
    end if;
end
$$;

-- Change the status of a stage and store the annotations made in it. Their events come before the event of
-- the change.
create or replace function postil._change_stage(
    p_tenant text, p_run_id text, p_stage_id text, p_status text, p_type text,
    p_annotations jsonb, p_result jsonb, p_error jsonb, p_actor jsonb, p_recorded_at timestamptz,
    p_context jsonb)
returns setof postil.receipt
language plpgsql as $$
declare
    locked record;
    r postil.run;
    s postil.stage;
    at timestamptz := coalesce(postil._check_time(p_recorded_at, 'recorded_at'), now());
    annotations jsonb := p_annotations;
    receipts postil.receipt[];
begin
    perform postil._check_annotations(p_annotations, 'annotations');
    perform postil._check_json(p_result, 'result');
    perform postil._check_json(p_error, 'error');
    perform postil._check_actor(p_actor, 'actor');
    perform postil._check_context(p_context);
    select * into locked from postil._lock_stage(p_tenant, p_run_id, p_stage_id);
    r := locked.r;
    s := locked.s;
    if s.status = p_status and s.result is not distinct from p_result and s.error is not distinct from p_error
       and jsonb_array_length(p_annotations) = 0
    then
        return query select 'stage', s.id, r.head, false;  -- a retry
        return;
    end if;
    perform postil._refuse_ended(r);
    if s.status not in ('running', 'suspended') or s.status = p_status and p_status = 'running' then
        perform postil._refuse(
            'PS010', format('stage %L of run %s is %s and cannot become %s', s.id, r.id, s.status, p_status),
            'stage_id');
    end if;
    if p_status = 'failed' then
        annotations := annotations || postil._failure_annotations(p_error);
    end if;
    receipts := array(select a from postil.annotate(
        r.tenant, r.id, annotations, p_actor, s.id, p_recorded_at, p_context) a);
    update postil.stage
       set status = p_status, result = coalesce(p_result, result), error = p_error,
           ended_at = case when p_status in ('completed', 'failed') then at end
     where tenant = s.tenant and run_id = s.run_id and attempt = s.attempt and id = s.id
    returning * into s;
    return query select 'stage', s.id,
        postil._append(r, p_type, 'stages/' || s.id, at, postil._stage_data(s), p_context), true;
    return query select * from unnest(receipts);
end
$$;

-- The annotations failure.type and failure.message of an error {type, message}. Each is truncated, with a
-- marker, to the limit of a value, so that a failure can always be recorded.
create or replace function postil._failure_annotations(p_error jsonb)
returns jsonb language sql immutable as $$
    select postil._as_convention(coalesce(jsonb_agg(
               jsonb_build_object('key', 'failure.' || f.part, 'value',
                   case when octet_length((p_error -> f.part)::text) <= 16384 then p_error -> f.part
                        else to_jsonb(format('%s… [%s characters more]', left(p_error ->> f.part, 2000),
                                             length(p_error ->> f.part) - 2000)) end)
               order by f.part desc), '[]'))
      from unnest(array['type', 'message']) as f(part)
     where jsonb_typeof(p_error) = 'object' and p_error ? f.part
$$;
