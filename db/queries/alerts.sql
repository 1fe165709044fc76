-- What of the connections in order was to be sent long ago. Without a closed
-- breaker, or while Harvest wants silence, nothing is. harvests is whether Harvest
-- failed to take it last: one that has been due for minutes since then, and that
-- nobody tried again, is ours.
-- name: WritesOld :many
select (w.error_reason in ('unreachable', 'timeout', 'broken', 'server', 'unreadable', 'asked', 'untrusted', 'breaker')
           and w.not_before > clock_timestamp() - interval '3 minutes')::boolean as harvests,
       count(*)::int as writes, count(distinct w.connection_id)::int as connections, min(w.created_at)::timestamptz as oldest
from writes w
join harvest_connections c on c.id = w.connection_id and c.state = 'ok' and c.held_since is null
    and (c.paused_until is null or c.paused_until < clock_timestamp())
where w.state in ('pending', 'sending', 'uncertain', 'retry')
  and w.created_at < clock_timestamp() - sqlc.arg(age)::interval
  and not exists (select from api_gates g where g.scope in ('provider', 'connection:' || c.id || ':general')
      and (g.cb_state <> 0 or g.blocked_until > clock_timestamp()))
group by 1;

-- A breaker that an operator keeps open is no outage.
-- name: ProviderBroken :one
select exists (select from api_gates where scope = 'provider' and cb_state <> 0 and forced_until <> cb_open_until);

-- name: ConnectionsRevoked :many
select id, user_id from harvest_connections where state = 'needs_reauth' order by id;

-- name: ProcessReport :exec
insert into process_reports (process, host, role, facts) values (@process, @host, @role, @facts)
on conflict (process) do update set facts = excluded.facts, seen_at = clock_timestamp();

-- Those that ended a day ago are of no interest any more.
-- name: ProcessReportsClean :exec
delete from process_reports where seen_at < clock_timestamp() - interval '1 day';

-- name: ProcessReports :many
select host, role, facts, started_at, seen_at from process_reports order by process;

-- name: ProcessesAlive :many
select facts from process_reports where seen_at > clock_timestamp() - sqlc.arg(age)::interval;

-- name: CredentialsSealed :many
select id, user_id, coalesce(credentials, '')::bytea as sealed from harvest_connections where credentials is not null and id > @after order by id limit @most;

-- Two processes that look at the same time would only do the same.
-- name: AlertsLock :one
select pg_try_advisory_xact_lock(@key::bigint) as locked, clock_timestamp()::timestamptz as now;

-- name: AlertFound :exec
insert into alerts (key, severity, user_id, sentence, advice, path, found_at, seen_at)
values (@key, @severity, sqlc.narg(user_id), @sentence, @advice, @path, @at, @at)
on conflict (key) where resolved_at is null
do update set seen_at = excluded.seen_at, sentence = excluded.sentence, advice = excluded.advice;

-- name: AlertOpen :exec
update alerts set opened_at = sqlc.arg(at)::timestamptz
where key = @key and resolved_at is null and opened_at is null and found_at <= sqlc.arg(at)::timestamptz - sqlc.arg(grace)::interval;

-- What was gone before it was told of was nothing.
-- name: AlertsForget :exec
delete from alerts
where resolved_at is null and opened_at is null and seen_at <= sqlc.arg(at)::timestamptz - sqlc.arg(away)::interval and not key = any(@found::text[]);

-- name: AlertsResolve :exec
update alerts set resolved_at = sqlc.arg(at)::timestamptz
where resolved_at is null and opened_at is not null and seen_at <= sqlc.arg(at)::timestamptz - sqlc.arg(away)::interval and not key = any(@found::text[]);

-- name: AlertsChanged :many
select * from alerts where opened_at = sqlc.arg(at)::timestamptz or resolved_at = sqlc.arg(at)::timestamptz order by id;

-- Alerts of which a beginning or an end is to be told; what is over before its
-- beginning could be told is not told at all.
-- name: AlertsUntold :many
select sqlc.embed(a), coalesce(u.email, '')::text as email
from alerts a left join users u on u.id = a.user_id
where a.opened_at is not null
  and (a.told_at is null and a.resolved_at is null or a.told_at is not null and a.resolved_at is not null and a.end_told_at is null)
order by a.id
for update of a;

-- name: AlertTold :exec
update alerts set told_at = coalesce(told_at, sqlc.arg(at)::timestamptz), end_told_at = case when resolved_at is not null then sqlc.arg(at)::timestamptz end
where id = @id;

-- name: AlertsOpen :many
select * from alerts where user_id is null and opened_at is not null and resolved_at is null order by severity, id desc;

-- name: AlertsOver :many
select * from alerts where user_id is null and resolved_at is not null order by resolved_at desc, id desc limit @most;

-- name: WebhookAdd :one
insert into webhooks (body) values (@body) returning id;

-- name: WebhookTake :one
update webhooks set state = 'sending', attempts = attempts + 1, sending_at = clock_timestamp(), ring_at = clock_timestamp() + 2 * sqlc.arg(term)::interval
where id = @id and (state = 'queued' or state = 'sending' and sending_at < clock_timestamp() - sqlc.arg(term)::interval)
returning message_id, body, attempts, created_at;

-- name: WebhookEnd :execrows
update webhooks set state = @state, error = @error, finished_at = clock_timestamp()
where id = @id and state = 'sending' and attempts = @attempt;

-- name: WebhookDelay :execrows
update webhooks set state = 'queued', error = @error, ring_at = clock_timestamp() + sqlc.arg(wait)::interval + interval '1 minute'
where id = @id and state = 'sending' and attempts = @attempt;

-- name: WebhooksLost :many
update webhooks set ring_at = clock_timestamp() + interval '5 minutes'
where state in ('queued', 'sending') and ring_at < clock_timestamp()
returning id;
