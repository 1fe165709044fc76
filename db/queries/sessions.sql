-- The session and, in the same round trip, its user as UserByID tells it, and the
-- timer of theirs that runs or is about to; of several, one that is to start, or
-- else the one that was started last. Who has not shown the code yet is no user.
-- Sessions of those with a role end sooner.
-- name: SessionFind :one
select s.data, s.id as session_id, s.created_at as session_created_at,
       (s.authenticated_at > now() - @fresh_for::interval)::boolean as fresh, (s.seen_at < now() - @seen_every::interval)::boolean as unseen,
       exists (select from second_factors f where f.user_id = u.id and f.confirmed_at is not null) as second_factor,
       u.id, coalesce(u.email, '')::text as email, coalesce(u.role, '')::text as role, u.week_start, u.time_zone, u.duration_format, coalesce(u.letter_keys, true)::boolean as letter_keys, u.created_at,
       coalesce(u.week_start, c.week_start, 1)::smallint as used_week_start,
       coalesce(u.time_zone, c.time_zone, 'UTC')::text as used_time_zone,
       coalesce(u.duration_format, c.duration_format, 'hours_minutes')::text as used_duration_format,
       coalesce(c.clock, '24h')::text as used_clock, coalesce(c.weekly_capacity, 2100)::int as used_capacity, coalesce(u.capacity, '{}')::smallint[] as capacity, coalesce(c.base_uri, '')::text as base_uri,
       coalesce(t.project_id, 0)::bigint as timer_project_id, coalesce(t.task_id, 0)::bigint as timer_task_id, coalesce(t.spent_date, 'epoch')::date as timer_date,
       coalesce(t.client, '')::text as timer_client, coalesce(t.client_id, 0)::bigint as timer_client_id,
       coalesce(t.project, '')::text as timer_project, coalesce(t.task, '')::text as timer_task,
       coalesce(t.pushed_entry_id::text, '')::text as timer_pushed_id, coalesce(t.running, false)::boolean as timer_running,
       t.started_at as timer_started_at, coalesce(t.hours_before, 0)::int as timer_before, coalesce(t.hours, 0)::int as timer_hours,
       coalesce(t.write_id, 0)::bigint as timer_write_id, coalesce(t.op, '')::text as timer_op, coalesce(t.state, '')::text as timer_state,
       coalesce(t.created_at, 'epoch')::timestamptz as timer_asked_at, coalesce(t.planned, 0)::int as timer_planned, coalesce(t.tracked, 0)::int as timer_tracked
from sessions s
left join users u on u.id = s.user_id and not s.awaits_code
left join harvest_connections c on c.user_id = s.user_id
left join lateral (
    select r.project_id, r.task_id, r.spent_date, r.pushed_entry_id, r.running, r.started_at, r.hours_before, r.hours, r.write_id, r.op, r.state, r.created_at,
           cl.name as client, cl.id as client_id, pr.name as project, k.name as task,
           (select p.minutes from cells p where p.user_id = r.user_id and p.date = r.spent_date and p.project_id = r.project_id and p.task_id = r.task_id) as planned,
           (select sum(e.hours) from time_entries e where e.user_id = r.user_id and e.spent_date = r.spent_date and e.project_id = r.project_id
               and e.task_id = r.task_id and e.deleted_at is null) as tracked
    from timers r
    join projects pr on pr.id = r.project_id
    join clients cl on cl.id = pr.client_id
    join tasks k on k.id = r.task_id
    where r.user_id = s.user_id and (r.running or r.state not in ('rejected', 'conflict'))
    order by (r.op = 'start' and r.state <> 'done') is true desc, r.started_at desc nulls last, r.write_id desc nulls last
    limit 1
) t on true
where s.token_hash = @token_hash and s.expires_at > now()
  and (coalesce(u.role, 'user') = 'user' or s.seen_at > now() - @staff_idle::interval and s.authenticated_at > now() - @staff_lifetime::interval);

-- name: SessionInsert :exec
insert into sessions (token_hash, user_id, data, expires_at, awaits_code, created_at, address, agent)
values (@token_hash, @user_id, @data, @expires_at, @awaits_code, coalesce(sqlc.narg(created_at)::timestamptz, now()), @address, @agent)
on conflict (token_hash) do update
set user_id = excluded.user_id, data = excluded.data, expires_at = excluded.expires_at, awaits_code = excluded.awaits_code,
    created_at = excluded.created_at, address = excluded.address, agent = excluded.agent;

-- name: SessionUpdate :exec
update sessions set data = @data, expires_at = @expires_at where token_hash = @token_hash;

-- name: SessionDelete :exec
delete from sessions where token_hash = @token_hash;

-- name: SessionsDeleteOfUser :exec
delete from sessions where user_id = sqlc.arg(user_id)::bigint;

-- name: SessionSeen :exec
update sessions set seen_at = now(), address = @address, agent = @agent where id = @id;

-- Those that SessionFind finds.
-- name: SessionsOfUser :many
select s.id, s.created_at, s.seen_at, s.address, s.agent
from sessions s
join users u on u.id = s.user_id
where s.user_id = sqlc.arg(user_id)::bigint and not s.awaits_code and s.expires_at > now()
  and (u.role = 'user' or s.seen_at > now() - @staff_idle::interval and s.authenticated_at > now() - @staff_lifetime::interval)
order by s.seen_at desc, s.id desc;

-- name: SessionRevoke :execrows
delete from sessions where id = @id and user_id = sqlc.arg(user_id)::bigint;

-- name: SessionsRevokeOthers :execrows
delete from sessions where user_id = sqlc.arg(user_id)::bigint and id <> @id;

-- name: SessionsClean :execrows
delete from sessions where expires_at <= now();
