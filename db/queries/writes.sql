-- The first unfinished write of a connection that is due and that no earlier
-- write of the same entry stands before.
-- name: WriteNext :one
select w.id, w.op, w.state, w.reference, w.payload, w.remote_id, w.failures, w.lookups, w.sent_at, w.base, w.request_id,
       coalesce(extract(epoch from clock_timestamp() - w.sent_at), 0)::float8 as sent_ago,
       p.spent_date, (p.spent_date < (clock_timestamp() at time zone coalesce(u.time_zone, c.time_zone))::date)::boolean as late, p.remote_id as kept_id, p.agreed_hours, p.agreed_notes, p.agreed_updated_at
from writes w
join pushed_entries p on p.id = w.pushed_entry_id
join harvest_connections c on c.id = w.connection_id and c.lease = @lease and c.state = 'ok' and coalesce(c.paused_until, '-infinity') <= clock_timestamp()
join users u on u.id = w.user_id
where w.connection_id = @connection_id and w.state in ('pending', 'sending', 'uncertain', 'retry')
  and w.not_before <= clock_timestamp()
  and not exists (select from writes e where e.pushed_entry_id = w.pushed_entry_id and e.id < w.id
      and e.state in ('pending', 'sending', 'uncertain', 'retry', 'blocked'))
order by w.id
limit 1;

-- Commits the intent under the lease, which must be live and is renewed.
-- name: WriteBegin :execrows
with fence as (
    update harvest_connections c set lease_until = clock_timestamp() + sqlc.arg(term)::interval
    where c.id = @connection_id and c.lease = @lease and c.lease_until > clock_timestamp() and c.state = 'ok'
      and coalesce(c.paused_until, '-infinity') <= clock_timestamp()
    returning c.id
)
update writes w
set state = 'sending', sent_at = clock_timestamp(), attempts = w.attempts + 1, lookups = 0, remote_before = @remote_before
from fence
where w.id = @id and w.connection_id = fence.id and w.state in ('pending', 'retry');

-- name: LeaseRenew :execrows
update harvest_connections set lease_until = clock_timestamp() + sqlc.arg(term)::interval
where id = @id and lease = @lease;

-- name: WriteSettle :one
update writes
set state = @state, lookups = @lookups, not_before = clock_timestamp() + sqlc.arg(wait)::interval,
    failures = case when sqlc.arg(failed)::boolean then failures + 1 else failures end,
    remote_id = coalesce(sqlc.narg(remote_id), remote_id), remote_after = sqlc.narg(remote_after),
    error_reason = case when sqlc.arg(untried)::boolean then error_reason else @error_reason end,
    error_status = case when sqlc.arg(untried)::boolean then error_status else @error_status end,
    error_message = case when sqlc.arg(untried)::boolean then error_message else @error_message end,
    finished_at = case when sqlc.arg(finished)::boolean then clock_timestamp() end
where id = @id and connection_id = @connection_id and state in ('pending', 'sending', 'uncertain', 'retry')
returning user_id, pushed_entry_id;

-- name: WriteAttemptAdd :exec
insert into write_attempts (write_id, action, outcome, reason, status, request_id, message, latency_ms, job_id)
values (@write_id, @action, @outcome, @reason, @status, @request_id, @message, @latency_ms, @job_id);

-- What Harvest confirmed is what both sides now agree on.
-- name: PushedAgree :exec
update pushed_entries
set remote_id = @remote_id, agreed_hours = @hours, agreed_notes = @notes, agreed_updated_at = @updated_at
where id = @id;

-- name: PushedRemove :exec
update pushed_entries set removed_at = clock_timestamp() where id = @id;

-- The entry is gone from Harvest, and is to be made anew: a new generation has a
-- new reference.
-- name: PushedRenew :one
update pushed_entries
set generation = generation + 1, remote_id = null, agreed_hours = null, agreed_notes = null, agreed_updated_at = null
where id = @id
returning generation;

-- What proved not to have been applied gives way to what was meant later: a timer
-- that is to stop need not be started.
-- name: WriteOvertaken :execrows
update writes w set state = 'superseded', finished_at = clock_timestamp()
where w.id = @id and w.state in ('pending', 'retry')
  and exists (select from writes l where l.pushed_entry_id = w.pushed_entry_id and l.id > w.id
      and l.state in ('pending', 'retry', 'blocked')
      and (w.op in ('create', 'update', 'delete') and l.op in ('create', 'update', 'delete') or w.op = 'start' and l.op = 'stop'));

-- What waits behind a write that is over starts from what that one has led to.
-- name: WritesFollow :many
update writes w
set op = case when w.op in ('create', 'update') then case when p.remote_id is null then 'create' else 'update' end else w.op end,
    remote_id = p.remote_id,
    reference = sqlc.arg(reference_group)::text || ':' || p.id || ':' || p.generation,
    state = case when sqlc.arg(conflict)::boolean then 'conflict'
                 when p.remote_id is null and w.op in ('delete', 'stop') then 'superseded'
                 else w.state end,
    finished_at = case when sqlc.arg(conflict)::boolean or (p.remote_id is null and w.op in ('delete', 'stop')) then clock_timestamp() end
from pushed_entries p
where p.id = @pushed_entry_id and w.pushed_entry_id = p.id and w.id > @id
  and w.state in ('pending', 'retry', 'blocked') and w.op in ('create', 'update', 'delete', 'stop')
returning w.op, w.state;

-- name: WritesPostpone :execrows
update writes w
set not_before = greatest(w.not_before, clock_timestamp() + sqlc.arg(wait)::interval), error_reason = @reason
from harvest_connections c
where c.id = @connection_id and c.lease = @lease and w.connection_id = c.id
  and w.state in ('pending', 'sending', 'uncertain', 'retry');

-- name: WritesBlock :exec
update writes set state = 'blocked', error_reason = 'auth' where connection_id = @connection_id and state in ('pending', 'retry');

-- Reconnecting wakes what was blocked, and what waited for a time.
-- name: WritesUnblock :exec
update writes
set state = case state when 'blocked' then 'pending' else state end, not_before = clock_timestamp()
where connection_id = @connection_id and state in ('blocked', 'pending', 'retry');

-- An earlier version of the entry that has provably not been applied, or not
-- over a change made in Harvest, gives way.
-- name: WriteSupersede :exec
update writes w set state = 'superseded', finished_at = clock_timestamp()
where w.pushed_entry_id = @pushed_entry_id and w.state in ('pending', 'retry', 'blocked', 'rejected', 'conflict')
  and w.op in ('create', 'update', 'delete', 'adopt')
  and not exists (select from writes l where l.pushed_entry_id = w.pushed_entry_id and l.id > w.id and l.op in ('create', 'update', 'delete', 'adopt'));

-- What Harvest has is taken instead of what was meant.
-- name: WritesTake :many
update writes set state = 'dropped', finished_at = clock_timestamp()
where pushed_entry_id = @pushed_entry_id and state in ('pending', 'retry', 'blocked', 'rejected', 'conflict')
  and op in ('create', 'update', 'delete', 'adopt')
returning id;

-- The entry of ours is, and is meant to be, what Harvest has, where Harvest has it.
-- name: PushedTake :exec
update pushed_entries p
set project_id = e.project_id, task_id = e.task_id, spent_date = e.spent_date, planned_minutes = @planned_minutes, planned_note = @planned_note,
    hours = e.hours, notes = e.notes, agreed_hours = e.hours, agreed_notes = e.notes, agreed_updated_at = e.updated_at
from time_entries e
where p.id = @id and p.user_id = @user_id and e.user_id = p.user_id and e.harvest_id = p.remote_id;

-- name: PushedOnCell :one
select exists (
    select from pushed_entries
    where user_id = @user_id and project_id = @project_id and task_id = @task_id and spent_date = @spent_date and removed_at is null and kind = 'plan'
);

-- An entry in Harvest that may become one of ours, unless something holds it.
-- name: EntryToAdopt :one
select e.hours, e.notes, pr.harvest_id as project_id, t.harvest_id as task_id, (e.is_locked or e.is_running or exists (
    select from pushed_entries p where p.user_id = e.user_id and p.remote_id = e.harvest_id and p.removed_at is null
))::boolean as held
from time_entries e
join projects pr on pr.id = e.project_id
join tasks t on t.id = e.task_id
where e.user_id = @user_id and e.harvest_id = @harvest_id and e.project_id = @project_id and e.task_id = @task_id and e.spent_date = @spent_date
  and e.deleted_at is null;

-- A choice leaves its mark in the plan, in the ledger, or in both.
-- name: ChoiceStored :one
select (exists (select from plan_events pe where pe.user_id = @user_id and pe.mutation_id = @mutation_id)
    or exists (select from writes w where w.user_id = @user_id and w.mutation_id = @mutation_id))::boolean as stored;

-- Entries that carry the same reference of ours as the one that stays, and say
-- the same, or have no time on them: those of timers that were stopped at once. Those that a person has touched since, or that are locked, are not
-- among them, nor those of an entry that is in doubt, or that a write was made for.
-- name: Doubles :many
with doubled as (
    select reference_id, min(harvest_id) as lowest
    from time_entries
    where user_id = @user_id and reference_id <> '' and deleted_at is null
    group by reference_id having count(*) > 1
), ours as (
    select p.id, d.reference_id, coalesce((
        select k.harvest_id from time_entries k
        where k.user_id = p.user_id and k.harvest_id = p.remote_id and k.reference_id = d.reference_id and k.deleted_at is null
    ), d.lowest)::bigint as keep_id, p.remote_id
    from doubled d
    join pushed_entries p on p.user_id = @user_id and p.removed_at is null
        and d.reference_id = sqlc.arg(reference_group)::text || ':' || p.id || ':' || p.generation
    where not exists (select from writes f where f.pushed_entry_id = p.id and f.state in ('sending', 'uncertain'))
)
select o.id as pushed_entry_id, o.reference_id, o.keep_id, (o.remote_id is distinct from o.keep_id)::boolean as relink,
       k.hours, k.notes, k.spent_date, k.updated_at, pr.harvest_id as project_id, t.harvest_id as task_id, e.harvest_id as double_id
from ours o
join time_entries k on k.user_id = @user_id and k.harvest_id = o.keep_id
join projects pr on pr.id = k.project_id
join tasks t on t.id = k.task_id
join time_entries e on e.user_id = k.user_id and e.reference_id = o.reference_id and e.harvest_id <> k.harvest_id and e.deleted_at is null
    and (e.project_id, e.task_id, e.spent_date, e.notes) = (k.project_id, k.task_id, k.spent_date, k.notes) and e.hours in (k.hours, 0)
    and not e.is_locked and not e.is_running
where not exists (select from writes w where w.pushed_entry_id = o.id and w.op = 'remove_double' and w.remote_id = e.harvest_id)
order by e.harvest_id;

-- name: PushedCreate :one
insert into pushed_entries (user_id, connection_id, project_id, task_id, spent_date, planned_minutes, planned_note, hours, notes)
values (@user_id, @connection_id, @project_id, @task_id, @spent_date, @planned_minutes, @planned_note, @hours, @notes)
returning id, generation;

-- name: PushedMean :one
update pushed_entries
set planned_minutes = @planned_minutes, planned_note = @planned_note, hours = @hours, notes = @notes
where id = @id and user_id = @user_id and removed_at is null
returning id, generation, remote_id;

-- What Harvest has, as mirrored, in Harvest's ids: what a deliberate change goes
-- over. No row: it is not there.
-- name: PushedRemote :one
select e.hours, e.notes, e.spent_date, e.updated_at, pr.harvest_id as project_id, t.harvest_id as task_id
from pushed_entries p
join time_entries e on e.user_id = p.user_id and e.harvest_id = p.remote_id and e.deleted_at is null
join projects pr on pr.id = e.project_id
join tasks t on t.id = e.task_id
where p.id = @id and p.user_id = @user_id;

-- name: WriteAdd :one
insert into writes (user_id, connection_id, pushed_entry_id, op, reference, payload, remote_id, base, mutation_id, state, request_id)
values (@user_id, @connection_id, @pushed_entry_id, @op, @reference, @payload, @remote_id, @base, @mutation_id, @state, @request_id)
returning id;

-- name: PushDone :one
select count(*) from writes where user_id = @user_id and mutation_id = @mutation_id;

-- name: HarvestIDs :one
select p.harvest_id as project_id, t.harvest_id as task_id
from projects p join tasks t on t.user_id = p.user_id
where p.user_id = @user_id and p.id = @project_id and t.id = @task_id;

-- The ledger of one user (user_id), or of all (null); newest first.
-- WritesCountChosen has the same conditions.
-- name: WritesList :many
select w.id, w.user_id, u.email, w.op, w.state, w.payload, w.reference, coalesce(w.remote_id, p.remote_id) as remote_id, w.attempts, w.not_before,
       w.error_reason, w.error_status, w.error_message, w.created_at, w.finished_at, w.remote_before, w.remote_after, w.operator_note, w.connection_id, w.request_id,
       cl.name as client, cl.id as client_id, pr.name as project, t.name as task, c.base_uri, c.state as connection_state, (c.held_since is not null)::boolean as held,
       (case when c.paused_until > clock_timestamp() then c.paused_until else 'epoch' end)::timestamptz as paused_until, c.paused_reason
from writes w
join users u on u.id = w.user_id
join pushed_entries p on p.id = w.pushed_entry_id
join projects pr on pr.id = p.project_id
join clients cl on cl.id = pr.client_id
join tasks t on t.id = p.task_id
join harvest_connections c on c.id = w.connection_id
where (sqlc.narg(user_id)::bigint is null or (w.user_id = sqlc.narg(user_id)::bigint and p.user_id = sqlc.narg(user_id)::bigint))
  and (sqlc.narg(id)::bigint is null or w.id = sqlc.narg(id)::bigint)
  and (sqlc.narg(ids)::bigint[] is null or w.id = any(sqlc.narg(ids)::bigint[]))
  and (cardinality(@states::text[]) = 0 or w.state = any(@states::text[]))
  and (sqlc.narg(project_id)::bigint is null or (p.project_id = sqlc.narg(project_id)::bigint and p.task_id = sqlc.narg(task_id)::bigint))
  and (sqlc.narg(client_id)::bigint is null or pr.client_id = sqlc.narg(client_id)::bigint)
  and (sqlc.narg(from_date)::date is null or p.spent_date between sqlc.narg(from_date)::date and sqlc.narg(to_date)::date)
  and (sqlc.narg(pattern)::text is null or cl.name ilike sqlc.narg(pattern)::text or pr.name ilike sqlc.narg(pattern)::text
      or t.name ilike sqlc.narg(pattern)::text or w.payload->>'notes' ilike sqlc.narg(pattern)::text or w.reference ilike sqlc.narg(pattern)::text
      or coalesce(w.remote_id, p.remote_id)::text like sqlc.narg(pattern)::text or w.id::text like sqlc.narg(pattern)::text)
  and (sqlc.narg(before)::bigint is null or w.id < sqlc.narg(before)::bigint)
order by w.id desc
limit @most;

-- name: WriteAttempts :many
select write_id, at, action, outcome, reason, status, request_id, message, latency_ms, job_id
from write_attempts where write_id = any(@write_ids::bigint[])
order by id;

-- The writes of one user, or of all, by state. moving is how many of these a
-- worker will bring on by itself, which it does while their owner is connected;
-- it is for one user only.
-- name: WritesCount :many
select state, count(*) as writes,
       count(*) filter (where state in ('pending', 'sending', 'uncertain', 'retry')
           and (select c.state = 'ok' from harvest_connections c where c.user_id = sqlc.narg(user_id)::bigint)) as moving
from writes
where sqlc.narg(user_id)::bigint is null or user_id = sqlc.narg(user_id)::bigint
group by state;

-- The same for what WritesList chooses, in whatever state.
-- name: WritesCountChosen :many
select w.state, count(*) as writes,
       count(*) filter (where w.state in ('pending', 'sending', 'uncertain', 'retry')
           and (select c.state = 'ok' from harvest_connections c where c.user_id = sqlc.narg(user_id)::bigint)) as moving
from writes w
join pushed_entries p on p.id = w.pushed_entry_id
join projects pr on pr.id = p.project_id
join clients cl on cl.id = pr.client_id
join tasks t on t.id = p.task_id
where (sqlc.narg(user_id)::bigint is null or (w.user_id = sqlc.narg(user_id)::bigint and p.user_id = sqlc.narg(user_id)::bigint))
  and (sqlc.narg(client_id)::bigint is null or pr.client_id = sqlc.narg(client_id)::bigint)
  and (sqlc.narg(from_date)::date is null or p.spent_date between sqlc.narg(from_date)::date and sqlc.narg(to_date)::date)
  and (sqlc.narg(pattern)::text is null or cl.name ilike sqlc.narg(pattern)::text or pr.name ilike sqlc.narg(pattern)::text
      or t.name ilike sqlc.narg(pattern)::text or w.payload->>'notes' ilike sqlc.narg(pattern)::text or w.reference ilike sqlc.narg(pattern)::text
      or coalesce(w.remote_id, p.remote_id)::text like sqlc.narg(pattern)::text or w.id::text like sqlc.narg(pattern)::text)
group by w.state;

-- The clients that a user has writes of.
-- name: WriteClients :many
select cl.id, cl.name
from clients cl
where cl.user_id = @user_id
  and exists (select from pushed_entries p join projects pr on pr.id = p.project_id where p.user_id = @user_id and pr.client_id = cl.id)
order by lower(cl.name), cl.id;

-- Tries again at once what a person may try again; see ledger.State.Retryable.
-- A later write of the same entry has overtaken it: then there is nothing to retry.
-- name: WritesRetry :many
update writes w
set state = 'pending', not_before = clock_timestamp(), failures = 0, finished_at = null
from harvest_connections c
where c.id = w.connection_id and c.state = 'ok'
  and w.state in ('rejected', 'retry', 'blocked')
  and (sqlc.narg(user_id)::bigint is null or w.user_id = sqlc.narg(user_id)::bigint)
  and (sqlc.narg(id)::bigint is null or w.id = sqlc.narg(id)::bigint)
  and (cardinality(@states::text[]) = 0 or w.state = any(@states::text[]))
  and not exists (select from writes l where l.pushed_entry_id = w.pushed_entry_id and l.id > w.id)
returning w.id, w.connection_id;

-- name: WriteDrop :one
update writes w set state = 'dropped', finished_at = clock_timestamp()
where w.id = @id and w.state in ('rejected', 'retry', 'blocked', 'pending', 'conflict')
  and (sqlc.narg(user_id)::bigint is null or w.user_id = sqlc.narg(user_id)::bigint)
returning w.id;
