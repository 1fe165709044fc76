-- Links that work once. Those that are too old are as if they were not there.

-- An account that exists is not invited.
-- name: InvitationSave :one
insert into account_links (purpose, email, role, made_by, token_hash, expires_at)
select 'invite', lower(sqlc.arg(email)::text), sqlc.arg(role)::text, sqlc.narg(made_by)::bigint, sqlc.arg(token_hash)::bytea, clock_timestamp() + sqlc.arg(term)::interval
where not exists (select from users u where u.email = lower(sqlc.arg(email)::text))
on conflict (purpose, email) do update
set role = excluded.role, made_by = excluded.made_by, token_hash = excluded.token_hash, created_at = now(), expires_at = excluded.expires_at
returning id;

-- name: Invitations :many
select l.id, l.email, coalesce(l.role, '')::text as role, coalesce(u.email, '')::text as made_by, l.created_at, l.expires_at
from account_links l left join users u on u.id = l.made_by
where l.purpose = 'invite' and l.expires_at > clock_timestamp()
order by l.id;

-- name: InvitationRevoke :one
delete from account_links where id = @id and purpose = 'invite' returning email;

-- name: AccountLink :one
select email from account_links where purpose = @purpose and token_hash = @token_hash and expires_at > clock_timestamp();

-- Whoever takes a link has it alone.
-- name: AccountLinkTake :one
delete from account_links
where purpose = @purpose and token_hash = @token_hash and expires_at > clock_timestamp()
returning email, coalesce(role, '')::text as role, coalesce(user_id, 0)::bigint as user_id;

-- Whether or not anybody has the address.
-- name: ResetAsk :one
insert into account_links (purpose, email, expires_at) values ('reset', lower(sqlc.arg(email)::text), clock_timestamp() + sqlc.arg(term)::interval)
on conflict (purpose, email) do update set user_id = null, token_hash = null, created_at = now(), expires_at = excluded.expires_at
returning id;

-- name: ResetAsked :one
delete from account_links where id = @id and purpose = 'reset' and token_hash is null and expires_at > clock_timestamp() returning email;

-- name: ResetSave :one
insert into account_links (purpose, email, user_id, token_hash, expires_at)
select 'reset', u.email, u.id, sqlc.arg(token_hash)::bytea, clock_timestamp() + sqlc.arg(term)::interval
from users u where u.email = lower(sqlc.arg(email)::text)
on conflict (purpose, email) do update
set user_id = excluded.user_id, token_hash = excluded.token_hash, created_at = now(), expires_at = excluded.expires_at
returning coalesce(user_id, 0)::bigint as user_id;

-- name: AccountLinksClean :exec
delete from account_links where expires_at <= now();
