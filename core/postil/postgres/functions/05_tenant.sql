create or replace function postil.create_tenant(tenant text)
returns boolean language plpgsql as $$
begin
    if tenant is null or tenant !~ '^[a-z0-9][a-z0-9._-]{0,62}$' then
        perform postil._refuse('PS017', 'a tenant is 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit', 'tenant');
    end if;
    insert into postil.tenant (id) values (create_tenant.tenant) on conflict do nothing;
    return found;
end
$$;
