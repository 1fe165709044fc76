-- What operators see of everybody, and hold back or let go.

-- Connections, by id, with what was wrong with them last.
-- name: ConnectionsList :many
select c.id, c.user_id, u.email, c.state, c.company_name, c.harvest_account_id, c.connected_at, c.pulled_at,
       (case when c.lease_until > clock_timestamp() then c.lease_until else 'epoch' end)::timestamptz as sending_until, (c.held_since is not null)::boolean as held,
       (case when c.paused_until > clock_timestamp() then c.paused_until else 'epoch' end)::timestamptz as paused_until, c.paused_reason, c.paused_by,
       n.unfinished, n.oldest_unsent,
       coalesce(e.error_reason, r.error_reason, '')::text as error_reason, coalesce(e.error_status, r.error_status, 0)::int as error_status
from harvest_connections c
join users u on u.id = c.user_id
cross join lateral (
    select count(*)::int as unfinished, coalesce(min(w.created_at), 'epoch')::timestamptz as oldest_unsent
    from writes w where w.connection_id = c.id and w.state in ('pending', 'sending', 'uncertain', 'retry', 'blocked')
) n
left join lateral (
    select w.error_reason, w.error_status from writes w
    where w.connection_id = c.id and w.state in ('pending', 'sending', 'uncertain', 'retry', 'blocked')
    order by w.created_at limit 1
) e on e.error_reason <> ''
left join lateral (
    select s.error_reason, s.error_status from sync_runs s where s.user_id = c.user_id order by s.id desc limit 1
) r on r.error_reason <> ''
where (sqlc.narg(id)::bigint is null or c.id = sqlc.narg(id)::bigint)
  and (sqlc.narg(after)::bigint is null or c.id > sqlc.narg(after)::bigint)
  and (sqlc.arg(state)::text = '' or c.state = sqlc.arg(state)::text)
  and (not sqlc.arg(paused)::boolean or c.paused_until > clock_timestamp())
  and (not sqlc.arg(held)::boolean or c.held_since is not null)
  and (sqlc.narg(pattern)::text is null or u.email ilike sqlc.narg(pattern)::text or c.company_name ilike sqlc.narg(pattern)::text
      or c.harvest_account_id::text like sqlc.narg(pattern)::text)
order by c.id
limit @most;

-- name: ConnectionsCount :one
select count(*) filter (where state = 'ok')::int as connected, count(*) filter (where state = 'needs_reauth')::int as needs_reauth,
       count(*) filter (where state = 'disconnected')::int as disconnected,
       count(*) filter (where paused_until > clock_timestamp())::int as paused, count(*) filter (where held_since is not null)::int as held
from harvest_connections;

-- name: ConnectionPause :one
update harvest_connections c
set paused_until = clock_timestamp() + sqlc.arg(term)::interval, paused_reason = @reason, paused_by = u.email
from users u
where c.id = @id and u.id = @actor_id
returning c.paused_until;

-- name: ConnectionResume :execrows
update harvest_connections set paused_until = null, paused_reason = '', paused_by = ''
where id = @id and paused_until > clock_timestamp();

-- name: QueuePauseSet :one
insert into queue_pauses (queue, paused_until, reason, paused_by)
select @queue, clock_timestamp() + sqlc.arg(term)::interval, @reason, u.email from users u where u.id = @actor_id
on conflict (queue) do update
set paused_at = now(), paused_until = excluded.paused_until, reason = excluded.reason, paused_by = excluded.paused_by
returning paused_until;

-- name: QueuePauseEnd :execrows
delete from queue_pauses where queue = @queue;

-- name: QueuePausesOver :many
delete from queue_pauses where paused_until <= clock_timestamp() returning queue;

-- name: QueuePauses :many
select queue, paused_at, paused_until, reason, paused_by from queue_pauses order by queue;

-- Losing the last of these in a crash costs nothing.
-- name: ScheduleRan :exec
with relaxed as materialized (select set_config('synchronous_commit', 'off', true))
insert into schedules as s (name, every, started_at, ended_at, ended_well, failures, error)
select @name, @every, @started_at, clock_timestamp(), case when @error::text = '' then clock_timestamp() end, (@error::text <> '')::int, @error::text
from relaxed
on conflict (name) do update
set every = excluded.every, started_at = excluded.started_at, ended_at = excluded.ended_at, ended_well = coalesce(excluded.ended_well, s.ended_well),
    failures = case when excluded.error = '' then 0 else s.failures + 1 end, error = excluded.error;

-- name: Schedules :many
select name, every, started_at, ended_at, failures, error from schedules order by every, name;

-- How long the oldest write has waited that could have been sent: one that waits
-- for its owner, an operator, or the sync after a restore does not count, nor does
-- the time in which it did.
-- name: OldestUnsent :one
select c.id as connection_id, coalesce(extract(epoch from clock_timestamp() - greatest(o.created_at, c.connected_at, c.paused_until)), 0)::float8 as seconds
from harvest_connections c
cross join lateral (
    select w.created_at from writes w
    where w.connection_id = c.id and w.state in ('pending', 'sending', 'uncertain', 'retry')
    order by w.created_at limit 1
) o
where c.state = 'ok' and c.held_since is null and coalesce(c.paused_until, '-infinity') <= clock_timestamp()
order by greatest(o.created_at, c.connected_at, c.paused_until)
limit 1;

-- Everything since the latest sample, which may not have been whole. Attempts
-- come in the order of their time, but for those of transactions under way.
-- name: SamplesTake :exec
with since as materialized (
    select greatest(coalesce((select max(s.at) from samples s), '-infinity'), date_bin('5 min', now(), 'epoch') - sqlc.arg(keep)::interval) as at
), tried as (
    select date_bin('5 min', a.at, 'epoch') as at, a.outcome, a.latency_ms
    from write_attempts a, since
    where a.at >= since.at and a.action in ('send', 'look') and a.outcome not in ('asked', 'unsettled', 'wait')
), errors as (
    select f.at, jsonb_object_agg(f.outcome, f.n) as errors
    from (
        select t.at, t.outcome, count(*) as n from tried t
        where t.outcome in ('not_sent', 'refused', 'unknown', 'revoked')
        group by t.at, t.outcome
    ) f
    group by f.at
), took as (
    select t.at, count(*)::int as attempts, coalesce(percentile_disc(0.95) within group (order by t.latency_ms), 0)::int as p95_ms
    from tried t group by t.at
    union all
    select date_bin('5 min', now(), 'epoch'), 0, 0
)
insert into samples as s (at, attempts, p95_ms, errors, oldest_seconds)
select k.at, sum(k.attempts), max(k.p95_ms), coalesce((select e.errors from errors e where e.at = k.at), '{}'),
       case when k.at = date_bin('5 min', now(), 'epoch') then @oldest_seconds::int else 0 end
from took k group by k.at
on conflict (at) do update
set attempts = excluded.attempts, p95_ms = excluded.p95_ms, errors = excluded.errors,
    oldest_seconds = greatest(s.oldest_seconds, excluded.oldest_seconds);

-- name: SamplesForget :exec
delete from samples where at < now() - sqlc.arg(keep)::interval;

-- name: Samples :many
select at, attempts, p95_ms, errors, oldest_seconds from samples where at >= @since order by at;
