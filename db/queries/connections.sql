-- name: ConnectionByUser :one
select sqlc.embed(c), (case when c.paused_until > clock_timestamp() then c.paused_until else 'epoch' end)::timestamptz as paused_now,
       (select count(*) from writes w where w.connection_id = c.id
           and w.state in ('pending', 'sending', 'uncertain', 'retry', 'blocked'))::int as unfinished
from harvest_connections c
where c.user_id = @user_id;

-- Connecting again replaces the credentials and settings, never the account.
-- name: ConnectionSave :one
insert into harvest_connections (user_id, state, credentials, harvest_account_id, harvest_user_id, company_name,
    harvest_user_name, base_uri, week_start, time_zone, clock, duration_format, weekly_capacity, timestamp_timers, company_visible)
values (@user_id, 'ok', @credentials, @harvest_account_id, @harvest_user_id, @company_name,
    @harvest_user_name, @base_uri, @week_start, @time_zone, @clock, @duration_format, @weekly_capacity, @timestamp_timers, @company_visible)
on conflict (user_id) do update
set state = 'ok', credentials = excluded.credentials, company_name = excluded.company_name,
    harvest_user_name = excluded.harvest_user_name, base_uri = excluded.base_uri, week_start = excluded.week_start,
    time_zone = excluded.time_zone, clock = excluded.clock, duration_format = excluded.duration_format,
    weekly_capacity = excluded.weekly_capacity, timestamp_timers = excluded.timestamp_timers,
    company_visible = excluded.company_visible, connected_at = now(),
    account_at = now(), account_stale = false, account_asked_at = null, budgets_asked_at = null,
    refresh_lease = null, refresh_lease_until = null, refresh_not_before = null
where harvest_connections.harvest_account_id = excluded.harvest_account_id
  and harvest_connections.harvest_user_id = excluded.harvest_user_id
returning id;

-- name: ConnectionDisconnect :execrows
update harvest_connections
set state = 'disconnected', credentials = null, refresh_lease = null, refresh_lease_until = null, refresh_not_before = null
where user_id = @user_id and state <> 'disconnected';

-- name: ConnectionNeedsReauth :exec
update harvest_connections set state = 'needs_reauth' where id = @id and state = 'ok';

-- name: ConnectionCredentials :one
select user_id, state, credentials, harvest_account_id, harvest_user_id, timestamp_timers, clock from harvest_connections where id = @id;

-- name: ConnectionLock :one
select id, state from harvest_connections where user_id = @user_id for update;

-- name: LeaseTake :one
update harvest_connections
set lease = gen_random_uuid(), lease_until = clock_timestamp() + sqlc.arg(term)::interval
where id = @id and state = 'ok' and held_since is null and coalesce(paused_until, '-infinity') <= clock_timestamp() and (lease is null or lease_until < clock_timestamp())
returning coalesce(lease::text, '')::text as lease;

-- name: LeaseRelease :exec
update harvest_connections set lease = null, lease_until = null where id = @id and lease = @lease;

-- How many writes could become due, and in how many seconds the first one does.
-- name: WritesNextDue :one
select coalesce(extract(epoch from min(w.not_before) - clock_timestamp()), 0)::float8 as wait, count(*) as due
from writes w join harvest_connections c on c.id = w.connection_id and c.state = 'ok' and c.held_since is null and coalesce(c.paused_until, '-infinity') <= clock_timestamp()
where w.connection_id = @connection_id and w.state in ('pending', 'sending', 'uncertain', 'retry')
  and not exists (select from writes e where e.pushed_entry_id = w.pushed_entry_id and e.id < w.id
      and e.state in ('pending', 'sending', 'uncertain', 'retry', 'blocked'));

-- Connections with due writes that nobody is working on.
-- name: ConnectionsWithDueWrites :many
select c.id from harvest_connections c
where c.state = 'ok' and c.held_since is null and coalesce(c.paused_until, '-infinity') <= clock_timestamp() and (c.lease is null or c.lease_until < clock_timestamp())
  and exists (select from writes w where w.connection_id = c.id
      and w.state in ('pending', 'sending', 'uncertain', 'retry') and w.not_before <= clock_timestamp());

-- Users whose last pull is older than the given time and that have none under
-- way. Those whose connection is held need one at once; what was tried before
-- the hold does not count.
-- name: UsersWithOldPull :many
select c.user_id from harvest_connections c
where c.state = 'ok' and coalesce(c.paused_until, '-infinity') <= clock_timestamp()
  and (c.held_since is not null or coalesce(c.pulled_at, c.connected_at) < clock_timestamp() - sqlc.arg(age)::interval)
  and not exists (select from sync_runs r where r.connection_id = c.id
      and (r.state in ('queued', 'running', 'waiting')
          or r.created_at > greatest(clock_timestamp() - sqlc.arg(age)::interval, c.held_since)));

-- name: ConnectionAnySealed :one
select id from harvest_connections where state = 'ok' and credentials is not null order by id limit 1;

-- Nothing is sent from now on, and who was at it records nothing more. Runs that
-- are being started are waited for, so that none of them began later than the
-- hold without having seen it. Connections that are not in use are held too:
-- they may have writes that wait for a reconnection.
-- name: ConnectionsHold :execrows
update harvest_connections c set held_since = clock_timestamp(), lease = null, lease_until = null
from (select id from harvest_connections order by id for update) l
where c.id = l.id;

-- Loading a backup leaves leases of a hundred years.
-- name: RestoreUnfinished :one
select exists (select from harvest_connections where lease_until > clock_timestamp() + interval '1 year');

-- A run that began after the hold lets go of it.
-- name: ConnectionRelease :execrows
update harvest_connections set held_since = null where id = @id and held_since < sqlc.arg(began)::timestamptz;
