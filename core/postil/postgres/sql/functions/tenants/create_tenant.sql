create or replace function postil.create_tenant(tenant text)
returns boolean language plpgsql as $$
begin
    return postil._create_tenant(tenant);
end
$$;

comment on function postil.create_tenant(text) is
$$Creates a tenant.

tenant: 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit.

Returns true if this call created it, false if it existed.

Raises PS017.$$;

create or replace function postil._create_tenant(p_tenant text)
returns boolean language plpgsql as $$
begin
    if p_tenant is null or p_tenant !~ '^[a-z0-9][a-z0-9._-]{0,62}$' then
        perform postil._refuse(
            'PS017', 'a tenant is 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit', 'tenant');
    end if;
    insert into postil.tenant (id) values (p_tenant) on conflict do nothing;
    return found;
end
$$;
