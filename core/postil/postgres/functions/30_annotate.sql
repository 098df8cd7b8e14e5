-- Annotations, in the caller's own transaction, each together with its event.

-- Whether an optional text is something else, or empty, or too long. One expression, so that it is inlined.
create or replace function postil._bad_text(value jsonb)
returns boolean language sql immutable as $$
    select case jsonb_typeof(value) when 'string' then length(value #>> '{}') not between 1 and 200
                                    when 'null' then false else value is not null end
$$;

create or replace function postil._bad_number(value jsonb)
returns boolean language sql immutable as $$
    select case jsonb_typeof(value) when 'number' then value::text !~ '^[0-9]{1,9}$'
                                    when 'null' then false else value is not null end
$$;

-- The fault of a field that is not among the known ones.
create or replace function postil._other_field(code text, item jsonb, known text[], thing text)
returns text language sql immutable as $$
    select code || '|' || replace(name, '|', '/') || '|' || name || ' is no field of ' || thing from jsonb_object_keys(item - known) name limit 1
$$;

-- What is wrong with one item: 'SQLSTATE|field|message', or null where it is well formed.
-- Called for every annotation: a chain of cheap tests, the costly ones behind a test that they can matter at all,
-- and no subquery, so that the planner inlines it: a call of its own costs more than all the tests together.
create or replace function postil._fault_in_annotation(item jsonb)
returns text language sql stable as $$
    select case
        when jsonb_typeof(item) <> 'object' then 'PS005||an annotation is an object {key, value, …}'
        when jsonb_typeof(item -> 'key') is distinct from 'string' then 'PS005|key|an annotation needs a key'
        when length(item ->> 'key') not between 1 and 200
            then 'PS005|key|a key has 1 to 200 characters, this has ' || length(item ->> 'key')
        when item ->> 'key' !~ '^[a-z][a-z0-9_-]*(\.[a-z0-9_][a-z0-9_-]*)*$'
            then 'PS005|key|a key is made of lower-case dotted segments, as in decision.outcome'
        when not item ? 'value' then 'PS005|value|a value is needed (null is one)'
        when octet_length(item ->> 'value') > 2700 and  -- escapes make JSON at most six times as long as its text
              octet_length((item -> 'value')::text) > 16384
            then 'PS006|value|the value has ' || octet_length((item -> 'value')::text) || ' bytes of JSON, the limit is 16384'
        when jsonb_typeof(item -> 'value') in ('object', 'array')
             and jsonb_path_exists(item -> 'value', 'strict $.**{65}')
            then 'PS005|value|the value is nested deeper than 64 levels'
        when item ? 'payload' and octet_length((item -> 'payload')::text) > 262144
            then 'PS006|payload|the payload has ' || octet_length((item -> 'payload')::text) || ' bytes of JSON, the limit is 262144'
        when item ? 'payload' and jsonb_path_exists(item -> 'payload', 'strict $.**{65}')
            then 'PS005|payload|the payload is nested deeper than 64 levels'
        when postil._bad_text(item -> 'scope') then 'PS005|scope|scope must be a text of 1 to 200 characters'
        when postil._bad_text(item -> 'scope_id') then 'PS005|scope_id|scope_id must be a text of 1 to 200 characters'
        when postil._bad_text(item -> 'stage_id') then 'PS005|stage_id|stage_id must be a text of 1 to 200 characters'
        when postil._bad_text(item -> 'idempotency_key')
            then 'PS005|idempotency_key|idempotency_key must be a text of 1 to 200 characters'
        when postil._bad_number(item -> 'attempt') then 'PS005|attempt|attempt must be a whole number'
        when postil._bad_number(item -> 'try') then 'PS005|try|try must be a whole number'
        when postil._bad_number(item -> 'group') then 'PS005|group|group must be a whole number'
        when item - '{key,value,payload,actor,scope,scope_id,stage_id,attempt,try,group,idempotency_key,recorded_at}'::text[] <> '{}'
            then postil._other_field('PS005', item, '{key,value,payload,actor,scope,scope_id,stage_id,attempt,try,group,idempotency_key,recorded_at}', 'an annotation')
    end
$$;

-- One expression settles what most items are, a key and a small plain value: PL/pgSQL keeps it compiled for the session.
create or replace function postil._plain_annotation(item jsonb)
returns boolean language sql stable as $$
    select jsonb_typeof(item) = 'object'
       and jsonb_typeof(item -> 'key') = 'string' and length(item ->> 'key') <= 200
       and item ->> 'key' ~ '^[a-z][a-z0-9_-]*(\.[a-z0-9_][a-z0-9_-]*)*$'
       and item ? 'value' and jsonb_typeof(item -> 'value') not in ('object', 'array')
       and coalesce(octet_length(item ->> 'value'), 0) <= 2700
       and not postil._bad_number(item -> 'group')
       and item - '{key,value,group}'::text[] = '{}'
$$;

create or replace function postil._check_annotations(items jsonb, field text)
returns void language plpgsql stable as $$
declare
    item jsonb;
    fault text;
begin
    if jsonb_typeof(items) is distinct from 'array' then
        perform postil._refuse('PS005', format('%s must be an array of annotations', field), field);
    end if;
    for n in 0 .. jsonb_array_length(items) - 1 loop
        item := items -> n;
        if postil._plain_annotation(item) is not true then
            fault := postil._fault_in_annotation(item);
            if fault is not null then
                perform postil._refuse_fault(fault, format('%s[%s]', field, n), format('%s[%s]: ', field, n));
            end if;
        end if;
    end loop;
end
$$;

-- Raise a fault of the form 'SQLSTATE|field|message' found at `place`.
create or replace function postil._refuse_fault(fault text, place text, said_before text)
returns void language plpgsql as $$
declare
    parts constant text[] := regexp_match(fault, '^([^|]*)\|([^|]*)\|(.*)$');
begin
    perform postil._refuse(parts[1], said_before || parts[3], concat_ws('.', place, nullif(parts[2], '')));
end
$$;

create or replace function postil.annotate(
    tenant text,
    run_id text,
    items jsonb,
    actor jsonb default null,
    stage_id text default null,
    recorded_at timestamptz default null,
    context jsonb default null,
    live boolean default false)
returns table (item integer, id uuid, run_seq bigint, created boolean)
language plpgsql as $$
begin
    perform postil._check_session(tenant), postil._check_annotations(items, 'items'), postil._check_actor(actor, 'actor'),
            postil._check_time(recorded_at, 'recorded_at'), postil._check_context(context);
    if jsonb_array_length(items) = 0 then
        return;
    end if;
    -- Facts about the run as a whole need nothing but the statement that stores them, which takes the run's lock itself.
    if live or stage_id is not null
       or jsonb_path_exists(items, '$[*] ? (exists(@.idempotency_key) || exists(@.stage_id) || exists(@.attempt) || exists(@.actor))')
    then
        perform postil._check_items_against_run(postil._lock_run(tenant, run_id), items, stage_id, live);
        if jsonb_path_exists(items, '$[*].idempotency_key ? (@ != null)') then
            return query select * from postil._annotate_once(tenant, run_id, items, actor, stage_id, recorded_at, context);
            return;
        end if;
    end if;
    return query select * from postil._store_annotations(tenant, run_id, items, actor, stage_id, recorded_at, context);
    if not found then
        perform postil._refuse_unknown_run(tenant, run_id);
    end if;
end
$$;

-- What of well-formed items only the run can tell: whether it is live, and has such attempts and stages.
create or replace function postil._check_items_against_run(r postil.run, items jsonb, default_stage text, live boolean)
returns void language plpgsql as $$
declare
    one record;
begin
    if live then
        perform postil._refuse_ended(r);
    end if;
    for one in
        select i.n - 1 as n, i.item, coalesce(i.item ->> 'stage_id', default_stage) as stage_id,
               coalesce((i.item ->> 'attempt')::integer, r.attempt) as attempt
          from jsonb_array_elements(items) with ordinality i(item, n)
         where i.item ?| array['actor', 'attempt', 'stage_id'] or default_stage is not null
    loop
        perform postil._check_actor(one.item -> 'actor', format('items[%s].actor', one.n));
        if one.attempt not between 1 and r.attempt then
            perform postil._refuse('PS005', format('run %s has attempts 1 to %s', r.id, r.attempt), format('items[%s].attempt', one.n));
        end if;
        if one.stage_id is not null and not exists (
            select from postil.stage s
             where s.tenant = r.tenant and s.run_id = r.id and s.attempt = one.attempt and s.id = one.stage_id)
        then
            perform postil._refuse('PS009', format('run %s has no stage %L in attempt %s', r.id, one.stage_id, one.attempt),
                                   format('items[%s].stage_id', one.n));
        end if;
    end loop;
end
$$;

-- One row per item: what the input says, with the call's defaults.
create or replace function postil._annotation_rows(
    run_attempt integer, items jsonb, default_actor jsonb, default_stage text, default_time timestamptz)
returns table (n integer, attempt integer, try integer, stage_id text, grp integer, scope text, scope_id text, actor jsonb,
               key text, value jsonb, payload jsonb, idempotency_key text, recorded_at timestamptz)
language sql stable as $$
    select i.n::integer,
           coalesce((i.item ->> 'attempt')::integer, run_attempt),
           (i.item ->> 'try')::integer,
           coalesce(i.item ->> 'stage_id', default_stage),
           (i.item ->> 'group')::integer,
           coalesce(i.item ->> 'scope', case when coalesce(i.item ->> 'stage_id', default_stage) is null then 'run' else 'stage' end),
           coalesce(i.item ->> 'scope_id', case when i.item ->> 'scope' is null then coalesce(i.item ->> 'stage_id', default_stage) end),
           coalesce(nullif(i.item -> 'actor', 'null'), nullif(default_actor, 'null')),
           i.item ->> 'key', i.item -> 'value', i.item -> 'payload', i.item ->> 'idempotency_key',
           case when i.item ? 'recorded_at' then coalesce(postil._time(i.item -> 'recorded_at', format('items[%s].recorded_at', i.n - 1)), default_time, now())
                else coalesce(default_time, now()) end
      from jsonb_array_elements(items) with ordinality i(item, n)
$$;

-- The write itself: take the run's lock and its next numbers by one UPDATE, store the items under them,
-- and log each from the row stored; positions are drawn after the lock. Answers no rows where there is no such run.
-- Profiled node by node, because every write pays it: a window function for the groups, or a sort more, costs as much as
-- an insert. The one sort that is there is load-bearing: it makes positions follow run_seq.
create or replace function postil._store_annotations(
    p_tenant text, p_run_id text, items jsonb, default_actor jsonb, default_stage text, default_time timestamptz, context jsonb)
returns table (item integer, id uuid, run_seq bigint, created boolean)
language plpgsql as $$
#variable_conflict use_column
declare
    run_lane smallint;
    run_root text;
    run_attempt integer;
    base bigint;
begin
    update postil.run r set head = r.head + jsonb_array_length(items)
     where r.tenant = p_tenant and r.id = p_run_id
    returning r.lane, r.root_id, r.attempt, r.head - jsonb_array_length(items) into run_lane, run_root, run_attempt, base;
    if not found then
        return;
    end if;
    return query
    with input as materialized (
        select a.*, postil.uuidv7() as id
          from postil._annotation_rows(run_attempt, items, default_actor, default_stage, default_time) a
    ),
    stored as (
        insert into postil.annotation (id, tenant, run_id, run_seq, attempt, try, stage_id, group_id, scope, scope_id,
                                       actor_kind, actor_id, actor_version, key, value, payload, idempotency_key, recorded_at)
        select id, p_tenant, p_run_id, base + n, attempt, try, stage_id,
               case when grp is null then id else (select f.id from input f where f.grp = i.grp order by f.n limit 1) end,
               scope, scope_id, actor ->> 'kind', actor ->> 'id', actor ->> 'version', key, value, payload, idempotency_key, recorded_at
          from input i
        returning annotation.*
    ),
    logged as (
        insert into postil.event (lane, tenant, run_id, run_seq, type, subject, attempt, root_run,
                                  causation_id, traceparent, recorded_at, data)
        select run_lane, s.tenant, s.run_id, s.run_seq, 'annotation:created', 'annotations/' || s.id, s.attempt, run_root,
               context ->> 'causation_id', context ->> 'traceparent', s.recorded_at, postil._annotation_data(s.*::postil.annotation)
          from stored s order by s.run_seq
    )
    select n, id, base + n, true from input;
end
$$;

-- Items with idempotency keys: what is stored already answers created = false, and emits nothing.
-- The run's lock is held, so nobody else can be storing the same keys now.
create or replace function postil._annotate_once(
    p_tenant text, p_run_id text, items jsonb, default_actor jsonb, default_stage text, default_time timestamptz, context jsonb)
returns table (item integer, id uuid, run_seq bigint, created boolean)
language plpgsql as $$
#variable_conflict use_column
declare
    one record;
    same record;
    fresh jsonb := '[]';
    -- For each item: where it stands among the fresh ones, or null where it was stored before.
    place integer[] := '{}';
    answer_id uuid[] := '{}';
    answer_seq bigint[] := '{}';
    r postil.run;
begin
    select * into r from postil.run where tenant = p_tenant and id = p_run_id;
    for one in
        select * from postil._annotation_rows(r.attempt, items, default_actor, default_stage, default_time) order by n
    loop
        select a.id, a.run_seq, a.value, a.payload, a.scope, a.scope_id,
               postil._actor(a.actor_kind, a.actor_id, a.actor_version) as actor, null::integer as n into same
          from postil.annotation a
         where a.tenant = r.tenant and a.run_id = r.id and a.key = one.key and a.idempotency_key = one.idempotency_key
           and coalesce(a.stage_id, '') = coalesce(one.stage_id, '')
           and (case when a.stage_id is null then 0 else a.attempt end) = (case when one.stage_id is null then 0 else one.attempt end);
        if not found then  -- the same key twice in one call counts as a retry too
            select null::uuid as id, null::bigint as run_seq, a.value, a.payload, a.scope, a.scope_id,
                   postil._actor(a.actor ->> 'kind', a.actor ->> 'id', a.actor ->> 'version') as actor, a.n into same
              from postil._annotation_rows(r.attempt, items, default_actor, default_stage, default_time) a
             where a.n < one.n and a.key = one.key and a.idempotency_key = one.idempotency_key
               and a.stage_id is not distinct from one.stage_id and (a.stage_id is null or a.attempt = one.attempt)
             order by a.n limit 1;
        end if;
        if not found then
            fresh := fresh || jsonb_build_array(items -> (one.n - 1));
            place := place || jsonb_array_length(fresh);
            answer_id := answer_id || null::uuid;
            answer_seq := answer_seq || null::bigint;
        elsif (same.value, same.payload, same.scope, same.scope_id, same.actor) is distinct from
              (one.value, one.payload, one.scope, one.scope_id,
               postil._actor(one.actor ->> 'kind', one.actor ->> 'id', one.actor ->> 'version'))
        then
            perform postil._refuse('PS004', format(
                '%s: %s with idempotency key %L was recorded as %s%s; this call says %s',
                r.id, one.key, one.idempotency_key, left(same.value::text, 200),
                format(' (annotation %s, run_seq %s)', same.id, same.run_seq), left(one.value::text, 200)),
                format('items[%s]', one.n - 1), 'Use another key if both are meant.');
        else
            place := place || case when same.n is null then null else -place[same.n] end;
            answer_id := answer_id || same.id;
            answer_seq := answer_seq || same.run_seq;
        end if;
    end loop;

    return query
        with stored as materialized (
            select * from postil._store_annotations(p_tenant, p_run_id, fresh, default_actor, default_stage, default_time, context)
             where jsonb_array_length(fresh) > 0
        )
        select i.n::integer, coalesce(s.id, answer_id[i.n]), coalesce(s.run_seq, answer_seq[i.n]), coalesce(place[i.n] > 0, false)
          from generate_series(1, jsonb_array_length(items)) i(n)
          left join stored s on s.item = abs(place[i.n])
         order by i.n;
end
$$;

-- Annotations on many runs, all or nothing. Runs are locked in id order, so that two batches cannot deadlock.
create or replace function postil.annotate_many(tenant text, batch jsonb, context jsonb default null)
returns table (entry integer, item integer, id uuid, run_seq bigint, created boolean)
language plpgsql as $$
declare
    one record;
begin
    if jsonb_typeof(batch) is distinct from 'array' then
        perform postil._refuse('PS017', 'batch must be an array of {run_id, items, …}', 'batch');
    end if;
    for one in
        select b.n, b.doc from jsonb_array_elements(batch) with ordinality b(doc, n)
    loop
        if jsonb_typeof(one.doc) <> 'object' then
            perform postil._refuse('PS017', 'an entry of a batch is an object {run_id, items, …}', format('batch[%s]', one.n - 1));
        end if;
        perform postil._check_annotations(one.doc -> 'items', format('batch[%s].items', one.n - 1));
    end loop;
    for one in
        select b.n, b.doc from jsonb_array_elements(batch) with ordinality b(doc, n)
         order by b.doc ->> 'run_id' collate "C", b.n
    loop
        return query
            select one.n::integer, a.item, a.id, a.run_seq, a.created
              from postil.annotate(tenant, one.doc ->> 'run_id', one.doc -> 'items', one.doc -> 'actor', one.doc ->> 'stage_id',
                                   postil._time(one.doc -> 'recorded_at', format('batch[%s].recorded_at', one.n - 1)), context,
                                   coalesce((one.doc ->> 'live')::boolean, false)) a;
    end loop;
end
$$;
