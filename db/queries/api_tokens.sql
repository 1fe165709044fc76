-- name: APITokenCreate :one
insert into api_tokens (user_id, name, token_hash) values (@user_id, @name, @token_hash)
returning id;

-- name: APITokens :many
select id, name, created_at, last_used_at from api_tokens where user_id = @user_id order by id;

-- name: APITokenCount :one
select count(*) from api_tokens where user_id = @user_id;

-- name: APITokenRevoke :execrows
delete from api_tokens where id = @id and user_id = @user_id;

-- The user of a token. Its use is noted at most once a minute, so that a busy
-- client does not write with every request.
-- name: APITokenUser :one
with used as (
    update api_tokens set last_used_at = sqlc.arg(now)::timestamptz
    where token_hash = @token_hash
      and (last_used_at is null or last_used_at < sqlc.arg(now)::timestamptz - interval '1 minute')
)
select u.id, u.email, u.role, u.week_start, u.time_zone, u.duration_format, u.letter_keys, u.created_at,
       coalesce(u.week_start, c.week_start, 1)::smallint as used_week_start,
       coalesce(u.time_zone, c.time_zone, 'UTC')::text as used_time_zone,
       coalesce(u.duration_format, c.duration_format, 'hours_minutes')::text as used_duration_format,
       coalesce(c.clock, '24h')::text as used_clock, coalesce(c.weekly_capacity, 2100)::int as used_capacity, u.capacity
from api_tokens t
join users u on u.id = t.user_id
left join harvest_connections c on c.user_id = u.id
where t.token_hash = @token_hash;
