-- Who may write: a durable session, of the right tenant, for a tenant that exists.

-- A row that is visible before it is durable could be published and then lost in a crash.
-- A session bound to a tenant by the setting postil.tenant writes for that tenant only.
create or replace function postil._check_session(p_tenant text)
returns void language plpgsql as $$
declare
    bound constant text := nullif(current_setting('postil.tenant', true), '');
begin
    if current_setting('synchronous_commit') = 'off' then
        perform postil._refuse('PS008', 'synchronous_commit is off in this transaction', null,
                               'Set it to on (or stronger): a row must not be visible before it is durable.');
    end if;
    if bound is distinct from p_tenant and bound is not null then
        perform postil._refuse(
            'PS007', format('this session is bound to tenant %L, the call names tenant %L', bound, p_tenant));
    end if;
end
$$;

create or replace function postil._check_tenant(p_tenant text)
returns void language plpgsql as $$
begin
    if not exists (select from postil.tenant t where t.id = p_tenant) then
        perform postil._refuse('PS012', format('there is no tenant %L', left(p_tenant, 80)));
    end if;
end
$$;
