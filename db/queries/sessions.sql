-- The session and, in the same round trip, its user as UserByID tells it.
-- name: SessionFind :one
select s.data, u.id, coalesce(u.email, '')::text as email, coalesce(u.is_admin, false)::boolean as is_admin, u.week_start, u.time_zone, u.duration_format, u.created_at,
       coalesce(u.week_start, c.week_start, 1)::smallint as used_week_start,
       coalesce(u.time_zone, c.time_zone, 'UTC')::text as used_time_zone,
       coalesce(u.duration_format, c.duration_format, 'hours_minutes')::text as used_duration_format,
       coalesce(c.clock, '24h')::text as used_clock, coalesce(c.weekly_capacity, 2100)::int as used_capacity
from sessions s
left join users u on u.id = s.user_id
left join harvest_connections c on c.user_id = s.user_id
where s.token_hash = @token_hash and s.expires_at > now();

-- name: SessionInsert :exec
insert into sessions (token_hash, user_id, data, expires_at)
values (@token_hash, @user_id, @data, @expires_at)
on conflict (token_hash) do update
set user_id = excluded.user_id, data = excluded.data, expires_at = excluded.expires_at;

-- name: SessionUpdate :exec
update sessions set user_id = @user_id, data = @data, expires_at = @expires_at
where token_hash = @token_hash;

-- name: SessionDelete :exec
delete from sessions where token_hash = @token_hash;

-- name: SessionsDeleteOfUser :exec
delete from sessions where user_id = sqlc.arg(user_id)::bigint;

-- name: SessionsClean :execrows
delete from sessions where expires_at <= now();
