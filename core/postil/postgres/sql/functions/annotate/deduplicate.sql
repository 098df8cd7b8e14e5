-- Annotations with idempotency keys.

-- Store annotations of which some have an idempotency key. One that is stored already, or occurs earlier in
-- the same call, returns created = false and appends no event. The caller holds the run's lock, so that no
-- other transaction can store the same keys now.
create or replace function postil._annotate_once(
    p_tenant text, p_run_id text, p_annotations jsonb, p_actor jsonb, p_stage_id text,
    p_recorded_at timestamptz, p_context jsonb, p_place text)
returns setof postil.receipt
language plpgsql as $$
declare
    -- Of each annotation, in order: the first one of this call with its key, and what is stored under that
    -- key.
    firsts integer[];
    ids uuid[];
    seqs bigint[];
    fresh integer[];
    conflicts text[];
    conflict_at integer;
begin
    with input as materialized (
        select a.*, postil._actor(a.actor ->> 'kind', a.actor ->> 'id', a.actor ->> 'version') as by_actor,
               case when a.stage_id is null then 0 else a.attempt end as generation
          from postil.run r
         cross join lateral
               postil._annotation_rows(
                   r.attempt, p_annotations, p_actor, p_stage_id, p_recorded_at, p_place) a
         where r.tenant = p_tenant and r.id = p_run_id
    ),
    paired as (
        select i.*,
               case when i.idempotency_key is null then i.n
                    else min(i.n) over (partition by i.key, i.idempotency_key, i.stage_id, i.generation)
               end as first
          from input i
    ),
    matched as (
        select i.n, i.first, s.id, s.run_seq,
               case
                   when s.id is not null
                        and (s.value, s.payload, s.scope, s.scope_id,
                             postil._actor(s.actor_kind, s.actor_id, s.actor_version))
                            is distinct from (i.value, i.payload, i.scope, i.scope_id, i.by_actor)
                   then format('%s: %s with idempotency key %L was recorded as %s '
                               '(annotation %s, run_seq %s); this call has %s',
                               p_run_id, i.key, i.idempotency_key, left(s.value::text, 200), s.id, s.run_seq,
                               left(i.value::text, 200))
                   when s.id is null
                        and (f.value, f.payload, f.scope, f.scope_id, f.by_actor)
                            is distinct from (i.value, i.payload, i.scope, i.scope_id, i.by_actor)
                   then format('%s: %s with idempotency key %L occurs twice in this call, as %s and as %s',
                               p_run_id, i.key, i.idempotency_key, left(f.value::text, 200),
                               left(i.value::text, 200))
               end as conflict
          from paired i
          join input f on f.n = i.first
          left join lateral (  -- one index probe per annotation, whatever the planner knows of the table
              select a.* from postil.annotation a
               where a.tenant = p_tenant and a.run_id = p_run_id
                 and a.key = i.key and a.idempotency_key = i.idempotency_key
                 and coalesce(a.stage_id, '') = coalesce(i.stage_id, '')
                 and (case when a.stage_id is null then 0 else a.attempt end) = i.generation
               limit 1) s on true
    )
    select array_agg(m.first order by m.n), array_agg(m.id order by m.n), array_agg(m.run_seq order by m.n),
           array_agg(m.n order by m.n) filter (where m.id is null and m.first = m.n),
           array_agg(m.conflict order by m.n) filter (where m.conflict is not null),
           min(m.n) filter (where m.conflict is not null)
      into firsts, ids, seqs, fresh, conflicts, conflict_at
      from matched m;
    if conflict_at is not null then
        perform postil._refuse('PS004', conflicts[1], format('%s[%s]', p_place, conflict_at - 1),
                               'Use another key if both are meant.');
    end if;
    return query
        with stored as materialized (
            select fresh[s.n] as n, s.id, s.run_seq
              from postil._store_annotations(
                       p_tenant, p_run_id,
                       (select jsonb_agg(p_annotations -> (f.n - 1) order by f.n) from unnest(fresh) as f(n)),
                       p_actor, p_stage_id, p_recorded_at, p_context, p_place)
                   with ordinality as s(kind, id, run_seq, created, n)
             where fresh is not null
        )
        select 'annotation', coalesce(m.id::text, s.id), coalesce(m.run_seq, s.run_seq),
               m.id is null and m.first = m.n
          from unnest(firsts, ids, seqs) with ordinality as m(first, id, run_seq, n)
          left join stored s on s.n = m.first
         order by m.n;
end
$$;
