-- Annotations on many runs in one call.

create or replace function postil.annotate_many(tenant text, batch jsonb, context jsonb default null)
returns table (run_id text, kind text, id text, run_seq bigint, created boolean)
language plpgsql as $$
begin
    return query select * from postil._annotate_many(tenant, batch, context);
end
$$;

comment on function postil.annotate_many(text, jsonb, jsonb) is
$$Records annotations on many runs, all or nothing.

tenant: the tenant of the runs.
batch: an array of {run_id, annotations, actor, stage_id, live, recorded_at}; the fields have the meaning of
    the parameters of annotate. Runs are locked in the order of their ids, so that two batches cannot
    deadlock.
context: {causation_id, traceparent} of the events.

Returns the run's id and a receipt for each annotation: runs in the order of their ids, annotations of a run
in the order given.

Raises what annotate raises. Nothing is stored then, on any run.$$;

-- What is wrong with one entry of a batch; null if it is well formed.
create or replace function postil._fault_in_entry(p_entry jsonb)
returns postil.fault language sql immutable as $$
    select case
        when jsonb_typeof(p_entry) <> 'object'
            then row('PS017', null, 'an entry of a batch is an object {run_id, annotations, …}')::postil.fault
        when jsonb_typeof(p_entry -> 'run_id') is distinct from 'string'
            then row('PS017', 'run_id', 'an entry needs the id of its run')::postil.fault
        when postil._bad_text(p_entry -> 'stage_id')
            then row('PS017', 'stage_id', 'stage_id must be a text of 1 to 200 characters')::postil.fault
        when jsonb_typeof(p_entry -> 'live') not in ('boolean', 'null')
            then row('PS017', 'live', 'live must be true or false')::postil.fault
        when p_entry - '{run_id,annotations,actor,stage_id,live,recorded_at}'::text[] <> '{}'
            then postil._unknown_field(
                'PS017', p_entry, '{run_id,annotations,actor,stage_id,live,recorded_at}', 'a batch entry')
    end
$$;

create or replace function postil._annotate_many(p_tenant text, p_batch jsonb, p_context jsonb)
returns table (run_id text, kind text, id text, run_seq bigint, created boolean)
language plpgsql as $$
declare
    entry record;
begin
    perform postil._check_session(p_tenant);
    perform postil._check_context(p_context);
    if jsonb_typeof(p_batch) is distinct from 'array' then
        perform postil._refuse('PS017', 'batch must be an array of {run_id, annotations, …}', 'batch');
    end if;
    for entry in
        select format('batch[%s]', b.n - 1) as place, b.doc, postil._fault_in_entry(b.doc) as fault
          from jsonb_array_elements(p_batch) with ordinality as b(doc, n)
    loop
        if (entry.fault).code is not null then
            perform postil._refuse_fault(entry.fault, entry.place, entry.place || ': ');
        end if;
        perform postil._check_annotations(entry.doc -> 'annotations', entry.place || '.annotations');
        perform postil._check_actor(entry.doc -> 'actor', entry.place || '.actor');
    end loop;
    for entry in
        select format('batch[%s]', b.n - 1) as place, b.doc, b.doc ->> 'run_id' as run_id,
               postil._time(b.doc -> 'recorded_at', format('batch[%s].recorded_at', b.n - 1)) as recorded_at
          from jsonb_array_elements(p_batch) with ordinality as b(doc, n)
         where jsonb_array_length(b.doc -> 'annotations') > 0
         order by b.doc ->> 'run_id' collate "C", b.n
    loop
        return query
            select entry.run_id, a.kind, a.id, a.run_seq, a.created
              from postil._annotate_locked(
                  p_tenant, entry.run_id, entry.doc -> 'annotations', entry.doc -> 'actor',
                  entry.doc ->> 'stage_id', entry.recorded_at, p_context,
                  coalesce((entry.doc ->> 'live')::boolean, false), entry.place || '.annotations') a;
    end loop;
end
$$;
