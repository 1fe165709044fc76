-- name: UserCreate :one
insert into users (email, password_hash, is_admin)
values (lower(sqlc.arg(email)), @password_hash, @is_admin)
returning id;

-- name: UsersExist :one
select exists (select from users);

-- The user with what is in force for them: their own setting, then Harvest's,
-- then the default.
-- name: UserByID :one
select u.id, u.email, u.is_admin, u.week_start, u.time_zone, u.duration_format, u.created_at,
       coalesce(u.week_start, c.week_start, 1)::smallint as used_week_start,
       coalesce(u.time_zone, c.time_zone, 'UTC')::text as used_time_zone,
       coalesce(u.duration_format, c.duration_format, 'hours_minutes')::text as used_duration_format,
       coalesce(c.clock, '24h')::text as used_clock, coalesce(c.weekly_capacity, 2100)::int as used_capacity
from users u
left join harvest_connections c on c.user_id = u.id
where u.id = @id;

-- name: UserLoginByEmail :one
select id, password_hash from users where email = lower(sqlc.arg(email));

-- name: UserPasswordHash :one
select password_hash from users where id = @id;

-- name: Users :many
select u.id, u.email, u.is_admin, u.created_at, coalesce(c.company_name, '')::text as company_name,
       coalesce(c.state, '')::text as connection_state
from users u
left join harvest_connections c on c.user_id = u.id
order by u.id;

-- name: UserSetPreferences :execrows
update users set week_start = @week_start, time_zone = @time_zone, duration_format = @duration_format
where id = @id;

-- name: UserSetPassword :execrows
update users set password_hash = @password_hash where id = @id;

-- Only if nobody changed the password since the hash was read.
-- name: UserRehash :exec
update users set password_hash = @new_hash where id = @id and password_hash = @old_hash;

-- name: UserSetPasswordByEmail :one
update users set password_hash = @password_hash where email = lower(sqlc.arg(email)) returning id;

-- name: UserPromote :one
update users set is_admin = true where email = lower(sqlc.arg(email)) returning id;

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

-- name: ThrottleUncount :exec
update login_throttles set failures = greatest(failures - 1, 0) where subject = @subject;

-- name: ThrottlesClean :execrows
delete from login_throttles where window_start < @before and locked_until < @before;
