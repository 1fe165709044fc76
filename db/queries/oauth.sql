-- name: OAuthAttemptAdd :exec
insert into oauth_attempts (user_id, session_hash, state_hash, sealed, expires_at)
values (@user_id, @session_hash, @state_hash, @sealed, @expires_at);

-- What is over, and all but the newest few of a user.
-- name: OAuthAttemptsPrune :exec
delete from oauth_attempts o
where o.user_id = @user_id and (o.expires_at <= sqlc.arg(now)::timestamptz
    or o.id not in (select a.id from oauth_attempts a where a.user_id = @user_id order by a.id desc limit sqlc.arg(kept)::int));

-- Whoever takes an attempt has it alone: its state works once.
-- name: OAuthAttemptTake :one
delete from oauth_attempts
where user_id = @user_id and session_hash = @session_hash and state_hash = @state_hash
returning sealed, expires_at;

-- name: OAuthChoice :one
select sealed from oauth_attempts
where user_id = @user_id and session_hash = @session_hash and state_hash is null and expires_at > sqlc.arg(now)::timestamptz
order by id desc limit 1;

-- name: OAuthChoicesDelete :execrows
delete from oauth_attempts where user_id = @user_id and session_hash = @session_hash and state_hash is null;

-- name: OAuthAttemptsDelete :exec
delete from oauth_attempts where user_id = @user_id;

-- name: OAuthAttemptsClean :exec
delete from oauth_attempts where expires_at <= now();

-- How the tokens of a connection stand, by the database's clock.
-- name: Grant :one
select user_id, state, credentials, clock_timestamp()::timestamptz as now,
       coalesce(refresh_lease_until > clock_timestamp(), false)::boolean as refreshing,
       coalesce(greatest(extract(epoch from refresh_not_before - clock_timestamp()), 0), 0)::float8 as pause
from harvest_connections where id = @id;

-- Sealing the same twice gives two texts, so equal credentials are those that
-- were read, not merely alike.
-- name: RefreshTake :one
update harvest_connections
set refresh_lease = gen_random_uuid(), refresh_lease_until = clock_timestamp() + sqlc.arg(term)::interval
where id = @id and state = 'ok' and credentials = sqlc.arg(seen)::bytea
  and (refresh_lease_until is null or refresh_lease_until <= clock_timestamp())
  and (refresh_not_before is null or refresh_not_before <= clock_timestamp())
returning coalesce(refresh_lease::text, '')::text as lease;

-- Whether or not the lease is still held: a pair that Harvest gave for the
-- stored one is the only one that works.
-- name: RefreshStore :execrows
update harvest_connections
set credentials = sqlc.arg(renewed)::bytea, refresh_lease = null, refresh_lease_until = null, refresh_not_before = null
where id = @id and credentials = sqlc.arg(seen)::bytea;

-- name: RefreshPause :exec
update harvest_connections
set refresh_lease = null, refresh_lease_until = null, refresh_not_before = clock_timestamp() + sqlc.arg(pause)::interval
where id = @id and refresh_lease = sqlc.arg(lease)::uuid;

-- name: RefreshRefused :execrows
update harvest_connections
set state = 'needs_reauth', refresh_lease = null, refresh_lease_until = null, refresh_not_before = null
where id = @id and state = 'ok' and credentials = sqlc.arg(seen)::bytea;
