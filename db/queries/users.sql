-- name: UserCreate :one
insert into users (email, password_hash, role)
values (lower(sqlc.arg(email)), @password_hash, @role)
returning id;

-- name: UsersExist :one
select exists (select from users);

-- The user with what is in force for them: their own setting, then Harvest's,
-- then the default.
-- name: UserByID :one
select u.id, u.email, u.role, u.week_start, u.time_zone, u.duration_format, u.letter_keys, u.created_at,
       coalesce(u.week_start, c.week_start, 1)::smallint as used_week_start,
       coalesce(u.time_zone, c.time_zone, 'UTC')::text as used_time_zone,
       coalesce(u.duration_format, c.duration_format, 'hours_minutes')::text as used_duration_format,
       coalesce(c.clock, '24h')::text as used_clock, coalesce(c.weekly_capacity, 2100)::int as used_capacity, u.capacity
from users u
left join harvest_connections c on c.user_id = u.id
where u.id = @id;

-- name: UserLoginByEmail :one
select u.id, u.password_hash, u.role, exists (select from second_factors f where f.user_id = u.id and f.confirmed_at is not null) as second_factor
from users u
where u.email = lower(sqlc.arg(email));

-- name: UserPasswordHash :one
select password_hash from users where id = @id;

-- Everybody, by id, with what admins ask first. Whoever is logged in was last
-- seen within minutes of seen_at.
-- name: Users :many
select u.id, u.email, u.role, u.created_at, coalesce(c.company_name, '')::text as company_name,
       coalesce(c.id, 0)::bigint as connection_id, coalesce(c.state, '')::text as connection_state, coalesce(c.paused_until > clock_timestamp(), false)::boolean as paused,
       s.sessions, s.seen_at
from users u
left join harvest_connections c on c.user_id = u.id
cross join lateral (
    select count(*)::int as sessions, coalesce(max(x.seen_at), 'epoch')::timestamptz as seen_at from sessions x
    where x.user_id = u.id and x.expires_at > now() and not x.awaits_code
) s
where (sqlc.narg(id)::bigint is null or u.id = sqlc.narg(id)::bigint)
  and (sqlc.narg(after)::bigint is null or u.id > sqlc.narg(after)::bigint)
  and (sqlc.arg(role)::text = '' or u.role = sqlc.arg(role)::text)
  and (sqlc.arg(connection)::text = '' or coalesce(c.state, 'none') = sqlc.arg(connection)::text)
  and (sqlc.narg(pattern)::text is null or u.email ilike sqlc.narg(pattern)::text)
order by u.id
limit @most;

-- name: UsersByRole :many
select role, count(*)::int as users from users group by role;

-- Whoever changes a role waits for others who do, so that no two of them take it
-- from each other.
-- name: AdminsLock :many
select id from users where role = 'admin' order by id for update;

-- name: UserRoleChange :one
update users u set role = @role
from (select x.id, x.role from users x where x.id = @id for update) before
where u.id = before.id
returning before.role;

-- name: UserSetPreferences :execrows
update users set week_start = @week_start, time_zone = @time_zone, duration_format = @duration_format, letter_keys = @letter_keys
where id = @id;

-- name: UserSetPassword :execrows
update users set password_hash = @password_hash where id = @id;

-- Only if nobody changed the password since the hash was read.
-- name: UserRehash :exec
update users set password_hash = @new_hash where id = @id and password_hash = @old_hash;

-- The row is locked, and made if it is missing: tries of one subject are
-- counted one after the other, however many come at once.
-- name: ThrottleLock :one
insert into login_throttles (subject, failures, window_start, locked_until)
values (@subject, 0, @now, @now)
on conflict (subject) do update set subject = excluded.subject
returning failures, window_start, locked_until;

-- name: ThrottleSet :exec
update login_throttles set failures = @failures, window_start = @window_start, locked_until = @locked_until
where subject = @subject;

-- name: ThrottleForget :exec
delete from login_throttles where subject = @subject;

-- The wait that the try would have begun is over with it.
-- name: ThrottleUncount :exec
update login_throttles set failures = greatest(failures - 1, 0), locked_until = window_start where subject = @subject;

-- name: ThrottlesClean :execrows
delete from login_throttles where window_start < @before and locked_until < @before;
