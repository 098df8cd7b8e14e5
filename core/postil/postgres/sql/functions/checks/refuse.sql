-- How a write refuses: it raises an SQLSTATE of class PS, with the path of the field in DETAIL.
-- postil/errors.py lists the SQLSTATEs and what the caller should do.

create or replace function postil._refuse(
    p_code text, p_message text, p_field text default null, p_advice text default null)
returns void language plpgsql as $$
begin
    if p_field is null and p_advice is null then
        raise exception using errcode = p_code, message = p_message;
    elsif p_field is null then
        raise exception using errcode = p_code, message = p_message, hint = p_advice;
    elsif p_advice is null then
        raise exception using errcode = p_code, message = p_message, detail = p_field;
    else
        raise exception using errcode = p_code, message = p_message, detail = p_field, hint = p_advice;
    end if;
end
$$;

-- Raise a fault found at `p_place`, with its message after `p_prefix`.
create or replace function postil._refuse_fault(p_fault postil.fault, p_place text, p_prefix text)
returns void language plpgsql as $$
begin
    perform postil._refuse(p_fault.code, p_prefix || p_fault.message, concat_ws('.', p_place, p_fault.field));
end
$$;

create or replace function postil._refuse_unknown_run(p_tenant text, p_run_id text)
returns void language plpgsql as $$
begin
    perform postil._check_tenant(p_tenant);
    perform postil._refuse('PS001', format('tenant %s has no run %L', p_tenant, left(p_run_id, 220)));
end
$$;

create or replace function postil._refuse_ended(p_run postil.run)
returns void language plpgsql as $$
begin
    if p_run.status = 'cancelled' then
        perform postil._refuse('PS002', format('run %s was cancelled', p_run.id));
    elsif p_run.status in ('completed', 'failed') then
        perform postil._refuse('PS003', format('run %s has ended: %s', p_run.id, p_run.status));
    end if;
end
$$;
