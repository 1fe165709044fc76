-- +goose Up

-- What somebody may do besides their own work: a viewer sees the admin pages,
-- an operator also acts on writes, jobs and connections, an admin also on users.
alter table users add column role text not null default 'user' check (role in ('user', 'viewer', 'operator', 'admin'));
update users set role = 'admin' where is_admin;

-- is_admin is what programs of before this version know. While they may run
-- beside newer ones, each column follows the other.
-- +goose StatementBegin
create function role_and_is_admin() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.is_admin then new.role := 'admin'; end if;
    elsif new.is_admin is distinct from old.is_admin and new.role = old.role then
        new.role := case when new.is_admin then 'admin' else 'user' end;
    end if;
    new.is_admin := new.role = 'admin';
    return new;
end $$;
-- +goose StatementEnd
create trigger role_and_is_admin before insert or update of role, is_admin on users for each row execute function role_and_is_admin();

-- +goose Down
drop trigger role_and_is_admin on users;
drop function role_and_is_admin;
alter table users drop column role;
