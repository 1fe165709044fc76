-- A second run while one is live is not made: nothing comes back. An account
-- whose last pull found nothing has no newest change to go on from: all changes
-- of the year are listed, as those of a run that is not the first.
-- name: SyncRunAdd :one
insert into sync_runs (user_id, connection_id, trigger, week, updated_since, year_from)
select c.user_id, c.id, @trigger, sqlc.narg(week),
       coalesce(c.entries_cursor - sqlc.arg(overlap)::interval, cast(case when c.pulled_at is not null then sqlc.arg(year_from)::date end as timestamptz)), sqlc.arg(year_from)::date
from harvest_connections c
where c.user_id = @user_id and c.state = 'ok'
on conflict (connection_id) where state in ('queued', 'running', 'waiting') do nothing
returning id;

-- name: SyncRunLive :one
select r.id from sync_runs r
where r.user_id = @user_id and r.state in ('queued', 'running', 'waiting');

-- A run of one user (user_id), or, for the worker, of any (null).
-- name: SyncRun :one
select r.id, r.user_id, r.connection_id, r.state, r.phase, r.resume, r.total, r.shifted, r.relisted, r.updated_since, r.year_from, r.week,
       r.page, r.pages, r.entries, r.next_try_at, r.error_reason, r.error_status, r.created_at, r.finished_at,
       c.time_zone, coalesce(c.held_since < r.created_at, false)::boolean as held,
       coalesce(extract(epoch from greatest(c.paused_until, clock_timestamp()) - clock_timestamp()), 0)::float8 as paused_seconds
from sync_runs r join harvest_connections c on c.id = r.connection_id
where r.id = @id and (sqlc.narg(user_id)::bigint is null or r.user_id = sqlc.narg(user_id)::bigint);

-- name: SyncRunEnter :execrows
update sync_runs
set state = 'running', phase = @phase, resume = '', page = 0, pages = 0, entries = 0,
    total = 0, shifted = false, relisted = relisted + shifted::int,
    started_at = coalesce(started_at, clock_timestamp()), next_try_at = null, error_reason = '', error_status = 0, error_message = ''
where id = @id and state in ('queued', 'running', 'waiting');

-- The commit of a page need not wait for the disk: the entries and where the
-- listing goes on are lost together, if at all, and are read again.
-- name: SyncRunPage :execrows
with relaxed as materialized (select set_config('synchronous_commit', 'off', true))
update sync_runs r
set state = 'running', page = r.page + 1, pages = @pages, entries = r.entries + sqlc.arg(entries), changed = r.changed + sqlc.arg(changed),
    resume = @resume, total = @total, shifted = @shifted, cursor_seen = greatest(r.cursor_seen, sqlc.narg(cursor_seen)::timestamptz),
    next_try_at = null, error_reason = '', error_status = 0, error_message = ''
from relaxed
where r.id = @id and r.state in ('queued', 'running', 'waiting');

-- name: SyncRunGone :exec
update sync_runs set removed = removed + @removed where id = @id;

-- name: SyncRunFinish :one
update sync_runs set state = 'done', phase = 'done', finished_at = clock_timestamp(), resume = ''
where id = @id and state in ('queued', 'running', 'waiting')
returning connection_id, cursor_seen, created_at;

-- name: ConnectionPulled :exec
update harvest_connections
set pulled_at = clock_timestamp(), entries_cursor = greatest(entries_cursor, sqlc.narg(cursor_seen)::timestamptz)
where id = @id;

-- name: SyncRunWait :exec
update sync_runs
set state = 'waiting', next_try_at = clock_timestamp() + sqlc.arg(wait)::interval,
    error_reason = @error_reason, error_status = @error_status, error_message = ''
where id = @id and state in ('queued', 'running', 'waiting');

-- name: SyncRunFail :exec
update sync_runs
set state = 'failed', finished_at = clock_timestamp(), next_try_at = null,
    error_reason = @error_reason, error_status = @error_status, error_message = ''
where id = @id and state in ('queued', 'running', 'waiting');

-- name: SyncRunsLive :many
select id from sync_runs
where state in ('queued', 'running', 'waiting') and created_at < clock_timestamp() - sqlc.arg(age)::interval
order by id;

-- A run that was given up goes on, unless another one is live.
-- name: SyncRunRevive :execrows
update sync_runs r set state = 'queued', finished_at = null, error_reason = '', error_status = 0, error_message = ''
where r.id = @id and r.state = 'failed'
  and not exists (select from sync_runs l where l.connection_id = r.connection_id and l.state in ('queued', 'running', 'waiting'));
