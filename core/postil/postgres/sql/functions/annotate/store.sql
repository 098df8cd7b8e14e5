-- The write of annotations: the hottest statement of the schema.

-- One row per annotation, with the defaults of the call.
create or replace function postil._annotation_rows(
    p_attempt integer, p_annotations jsonb, p_actor jsonb, p_stage_id text, p_recorded_at timestamptz,
    p_place text)
returns table (
    n integer, attempt integer, try integer, stage_id text, grp integer, scope text, scope_id text,
    actor jsonb, key text, value jsonb, payload jsonb, idempotency_key text, recorded_at timestamptz)
language sql stable as $$
    select a.n::integer,
           coalesce((a.doc ->> 'attempt')::integer, p_attempt),
           (a.doc ->> 'try')::integer,
           coalesce(a.doc ->> 'stage_id', p_stage_id),
           (a.doc ->> 'group')::integer,
           coalesce(a.doc ->> 'scope',
                    case when coalesce(a.doc ->> 'stage_id', p_stage_id) is null then 'run' else 'stage' end),
           coalesce(a.doc ->> 'scope_id',
                    case when a.doc ->> 'scope' is null then coalesce(a.doc ->> 'stage_id', p_stage_id) end),
           coalesce(nullif(a.doc -> 'actor', 'null'), nullif(p_actor, 'null')),
           a.doc ->> 'key', a.doc -> 'value', a.doc -> 'payload', a.doc ->> 'idempotency_key',
           case when a.doc ? 'recorded_at'
                then coalesce(
                    postil._time(a.doc -> 'recorded_at', format('%s[%s].recorded_at', p_place, a.n - 1)),
                    p_recorded_at, now())
                else coalesce(p_recorded_at, now()) end
      from jsonb_array_elements(p_annotations) with ordinality as a(doc, n)
$$;

-- Take the run's lock and its next numbers by one UPDATE, store the annotations under these numbers, and
-- append the event of each from the row stored. Positions are drawn after the lock.
-- Returns no rows if the run does not exist.
--
-- It was profiled node by node, because every write pays for it. A window function for the groups, or one
-- sort more, costs as much as an insert. Its own insert into postil.event costs 25 µs less than a call of
-- postil._append_events(). The one sort makes positions follow run_seq; do not remove it.
create or replace function postil._store_annotations(
    p_tenant text, p_run_id text, p_annotations jsonb, p_actor jsonb, p_stage_id text,
    p_recorded_at timestamptz, p_context jsonb, p_place text)
returns setof postil.receipt
language plpgsql as $$
declare
    run_lane smallint;
    run_root text;
    run_attempt integer;
    base bigint;
begin
    update postil.run r set head = r.head + jsonb_array_length(p_annotations)
     where r.tenant = p_tenant and r.id = p_run_id
    returning r.lane, r.root_id, r.attempt, r.head - jsonb_array_length(p_annotations)
         into run_lane, run_root, run_attempt, base;
    if not found then
        return;
    end if;
    return query
    with input as materialized (
        select a.*, postil.uuidv7() as id
          from postil._annotation_rows(
                   run_attempt, p_annotations, p_actor, p_stage_id, p_recorded_at, p_place) a
    ),
    stored as (
        insert into postil.annotation (
            id, tenant, run_id, run_seq, attempt, try, stage_id, group_id, scope, scope_id,
            actor_kind, actor_id, actor_version, key, value, payload, idempotency_key, recorded_at)
        select i.id, p_tenant, p_run_id, base + i.n, i.attempt, i.try, i.stage_id,
               case when i.grp is null then i.id
                    else (select f.id from input f where f.grp = i.grp order by f.n limit 1) end,
               i.scope, i.scope_id, i.actor ->> 'kind', i.actor ->> 'id', i.actor ->> 'version',
               i.key, i.value, i.payload, i.idempotency_key, i.recorded_at
          from input i
        returning annotation.*
    ),
    appended as (
        insert into postil.event (
            lane, tenant, run_id, run_seq, type, subject, attempt, root_run,
            causation_id, traceparent, recorded_at, data)
        select run_lane, s.tenant, s.run_id, s.run_seq, 'annotation:created', 'annotations/' || s.id,
               s.attempt, run_root, p_context ->> 'causation_id', p_context ->> 'traceparent', s.recorded_at,
               postil._annotation_data(s.*::postil.annotation)
          from stored s order by s.run_seq
    )
    select 'annotation', i.id::text, base + i.n, true from input i;
end
$$;

-- Let the annotations that the database adds to a write (a failure, an approval) form one convention, with
-- the fields `p_fields` each. The group number is beyond any that a client counts to.
create or replace function postil._as_convention(p_annotations jsonb, p_fields jsonb default '{}')
returns jsonb language sql immutable as $$
    select coalesce(jsonb_agg(a.doc || '{"group": 999999999}' || p_fields order by a.n), '[]')
      from jsonb_array_elements(p_annotations) with ordinality as a(doc, n)
$$;
