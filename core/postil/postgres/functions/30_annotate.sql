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
             and postil._too_deep(item -> 'value')
            then 'PS005|value|the value is nested deeper than 64 levels'
        when octet_length(item ->> 'value') > 308 and postil._has_huge_number(item -> 'value')
            then 'PS005|value|the value holds a number beyond the range of a double'
        when item ? 'payload' and octet_length((item -> 'payload')::text) > 262144
            then 'PS006|payload|the payload has ' || octet_length((item -> 'payload')::text) || ' bytes of JSON, the limit is 262144'
        when item ? 'payload' and postil._too_deep(item -> 'payload')
            then 'PS005|payload|the payload is nested deeper than 64 levels'
        when item ? 'payload' and octet_length(item ->> 'payload') > 308 and postil._has_huge_number(item -> 'payload')
            then 'PS005|payload|the payload holds a number beyond the range of a double'
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
       and coalesce(octet_length(item ->> 'value'), 0) <= case jsonb_typeof(item -> 'value') when 'number' then 308 else 2700 end
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
    annotations jsonb,
    actor jsonb default null,
    stage_id text default null,
    recorded_at timestamptz default null,
    context jsonb default null,
    live boolean default false)
returns setof postil.receipt
language plpgsql as $$
begin
    perform postil._check_session(tenant), postil._check_annotations(annotations, 'annotations'), postil._check_actor(actor, 'actor'),
            postil._check_time(recorded_at, 'recorded_at'), postil._check_context(context);
    if jsonb_array_length(annotations) = 0 then
        return;
    end if;
    -- Facts about the run as a whole need nothing but the statement that stores them, which takes the run's lock itself.
    if live or stage_id is not null
       or jsonb_path_exists(annotations, '$[*] ? (exists(@.idempotency_key) || exists(@.stage_id) || exists(@.attempt) || exists(@.actor))')
    then
        perform postil._check_items_against_run(postil._lock_run(tenant, run_id), annotations, stage_id, live);
        if jsonb_path_exists(annotations, '$[*].idempotency_key ? (@ != null)') then
            return query select * from postil._annotate_once(tenant, run_id, annotations, actor, stage_id, recorded_at, context);
            return;
        end if;
    end if;
    return query select * from postil._store_annotations(tenant, run_id, annotations, actor, stage_id, recorded_at, context);
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
        perform postil._check_actor(one.item -> 'actor', format('annotations[%s].actor', one.n));
        if one.attempt not between 1 and r.attempt then
            perform postil._refuse('PS005', format('run %s has attempts 1 to %s', r.id, r.attempt), format('annotations[%s].attempt', one.n));
        end if;
        if one.stage_id is not null and not exists (
            select from postil.stage s
             where s.tenant = r.tenant and s.run_id = r.id and s.attempt = one.attempt and s.id = one.stage_id)
        then
            perform postil._refuse('PS009', format('run %s has no stage %L in attempt %s', r.id, one.stage_id, one.attempt),
                                   format('annotations[%s].stage_id', one.n));
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
           case when i.item ? 'recorded_at' then coalesce(postil._time(i.item -> 'recorded_at', format('annotations[%s].recorded_at', i.n - 1)), default_time, now())
                else coalesce(default_time, now()) end
      from jsonb_array_elements(items) with ordinality i(item, n)
$$;

-- The write itself: take the run's lock and its next numbers by one UPDATE, store the items under them,
-- and log each from the row stored; positions are drawn after the lock. Answers no rows where there is no such run.
-- Profiled node by node, because every write pays it: a window function for the groups, or a sort more, costs as much as
-- an insert. The one sort that is there is load-bearing: it makes positions follow run_seq.
create or replace function postil._store_annotations(
    p_tenant text, p_run_id text, items jsonb, default_actor jsonb, default_stage text, default_time timestamptz, context jsonb)
returns setof postil.receipt
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
    select 'annotation', id::text, base + n, true from input;
end
$$;

-- Items with idempotency keys: what is stored already, or said earlier in the same call, answers created = false and emits nothing.
-- The run's lock is held, so nobody else can be storing the same keys now.
create or replace function postil._annotate_once(
    p_tenant text, p_run_id text, items jsonb, default_actor jsonb, default_stage text, default_time timestamptz, context jsonb)
returns setof postil.receipt
language plpgsql as $$
#variable_conflict use_column
declare
    -- Of each item, in order: the first item of this call with its key, and what is stored under that key.
    firsts integer[];
    ids uuid[];
    seqs bigint[];
    fresh integer[];
    conflicts text[];
    conflict_at integer;
begin
    with input as materialized (
        select a.*, postil._actor(a.actor ->> 'kind', a.actor ->> 'id', a.actor ->> 'version') as who,
               case when a.stage_id is null then 0 else a.attempt end as generation
          from postil.run r
         cross join lateral postil._annotation_rows(r.attempt, items, default_actor, default_stage, default_time) a
         where r.tenant = p_tenant and r.id = p_run_id
    ),
    paired as (
        select i.*, case when i.idempotency_key is null then i.n
                         else min(i.n) over (partition by i.key, i.idempotency_key, i.stage_id, i.generation) end as first
          from input i
    ),
    known as (
        select i.n, i.first, s.id, s.run_seq,
               case when s.id is not null
                     and (s.value, s.payload, s.scope, s.scope_id, postil._actor(s.actor_kind, s.actor_id, s.actor_version))
                         is distinct from (i.value, i.payload, i.scope, i.scope_id, i.who)
                    then format('%s: %s with idempotency key %L was recorded as %s (annotation %s, run_seq %s); this call says %s',
                                p_run_id, i.key, i.idempotency_key, left(s.value::text, 200), s.id, s.run_seq, left(i.value::text, 200))
                    when s.id is null
                     and (f.value, f.payload, f.scope, f.scope_id, f.who) is distinct from (i.value, i.payload, i.scope, i.scope_id, i.who)
                    then format('%s: %s with idempotency key %L is said twice in this call, as %s and as %s',
                                p_run_id, i.key, i.idempotency_key, left(f.value::text, 200), left(i.value::text, 200)) end as conflict
          from paired i
          join input f on f.n = i.first
          left join lateral (  -- one index probe per item, whatever the planner knows of the table
              select a.* from postil.annotation a
               where a.tenant = p_tenant and a.run_id = p_run_id and a.key = i.key and a.idempotency_key = i.idempotency_key
                 and coalesce(a.stage_id, '') = coalesce(i.stage_id, '')
                 and (case when a.stage_id is null then 0 else a.attempt end) = i.generation
               limit 1) s on true
    )
    select array_agg(k.first order by k.n), array_agg(k.id order by k.n), array_agg(k.run_seq order by k.n),
           array_agg(k.n order by k.n) filter (where k.id is null and k.first = k.n),
           array_agg(k.conflict order by k.n) filter (where k.conflict is not null), min(k.n) filter (where k.conflict is not null)
      into firsts, ids, seqs, fresh, conflicts, conflict_at
      from known k;
    if conflict_at is not null then
        perform postil._refuse('PS004', conflicts[1], format('annotations[%s]', conflict_at - 1), 'Use another key if both are meant.');
    end if;
    return query
        with stored as materialized (
            select fresh[s.n] as n, s.id, s.run_seq
              from postil._store_annotations(
                  p_tenant, p_run_id, (select jsonb_agg(items -> (n - 1) order by n) from unnest(fresh) n),
                  default_actor, default_stage, default_time, context) with ordinality s(kind, id, run_seq, created, n)
             where fresh is not null
        )
        select 'annotation', coalesce(k.id::text, s.id), coalesce(k.run_seq, s.run_seq), k.id is null and k.first = k.n
          from unnest(firsts, ids, seqs) with ordinality k(first, id, run_seq, n)
          left join stored s on s.n = k.first
         order by k.n;
end
$$;

-- What is wrong with one entry of a batch: 'SQLSTATE|field|message', or null.
create or replace function postil._fault_in_entry(entry jsonb)
returns text language sql immutable as $$
    select case
        when jsonb_typeof(entry) <> 'object' then 'PS017||an entry of a batch is an object {run_id, annotations, …}'
        when jsonb_typeof(entry -> 'run_id') is distinct from 'string' then 'PS017|run_id|an entry needs the id of its run'
        when postil._bad_text(entry -> 'stage_id') then 'PS017|stage_id|stage_id must be a text of 1 to 200 characters'
        when jsonb_typeof(entry -> 'live') not in ('boolean', 'null') then 'PS017|live|live must be true or false'
        when entry - '{run_id,annotations,actor,stage_id,live,recorded_at}'::text[] <> '{}'
            then postil._other_field('PS017', entry, '{run_id,annotations,actor,stage_id,live,recorded_at}', 'a batch entry')
    end
$$;

-- Annotations on many runs, all or nothing. Runs are locked in id order, so that two batches cannot deadlock.
create or replace function postil.annotate_many(tenant text, batch jsonb, context jsonb default null)
returns table (run_id text, kind text, id text, run_seq bigint, created boolean)
language plpgsql as $$
declare
    one record;
begin
    perform postil._check_session(tenant);
    perform postil._check_context(context);
    if jsonb_typeof(batch) is distinct from 'array' then
        perform postil._refuse('PS017', 'batch must be an array of {run_id, annotations, …}', 'batch');
    end if;
    for one in
        select format('batch[%s]', b.n - 1) as place, b.doc, postil._fault_in_entry(b.doc) as fault
          from jsonb_array_elements(batch) with ordinality b(doc, n)
    loop
        if one.fault is not null then
            perform postil._refuse_fault(one.fault, one.place, one.place || ': ');
        end if;
        perform postil._check_annotations(one.doc -> 'annotations', one.place || '.annotations');
        perform postil._check_actor(one.doc -> 'actor', one.place || '.actor');
    end loop;
    for one in
        select b.n, b.doc from jsonb_array_elements(batch) with ordinality b(doc, n)
         order by b.doc ->> 'run_id' collate "C", b.n
    loop
        return query
            select one.doc ->> 'run_id', a.kind, a.id, a.run_seq, a.created
              from postil.annotate(tenant, one.doc ->> 'run_id', one.doc -> 'annotations', one.doc -> 'actor', one.doc ->> 'stage_id',
                                   postil._time(one.doc -> 'recorded_at', format('batch[%s].recorded_at', one.n - 1)), context,
                                   coalesce((one.doc ->> 'live')::boolean, false)) a;
    end loop;
end
$$;
