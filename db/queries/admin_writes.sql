-- What the filters of the admin page of writes stand for.

-- name: OwnersLike :many
select id from users where email like @pattern;

-- name: ProjectsLike :many
select pr.id, pr.user_id from projects pr join clients cl on cl.id = pr.client_id
where pr.name ilike @pattern or cl.name ilike @pattern;

-- name: TasksLike :many
select id, user_id from tasks where name ilike @pattern;

-- name: ConnectionOwner :one
select user_id from harvest_connections where id = @id;

-- Of a write, or of all about an entry in Harvest.
-- name: WriteIDsByNumber :many
select w.id from writes w where w.id = @number
union
select r.id from writes r where r.remote_id = @number;

-- The latest write of before an instant; 0 if there is none.
-- name: WriteBefore :one
select coalesce((select id from writes where created_at < @before order by created_at desc limit 1), 0)::bigint as id;

-- name: WriteNewest :one
select coalesce(max(id), 0)::bigint as id from writes;

-- What people may look for. The writes that failed or are under way are few; of
-- very many, some are looked at.
-- name: WriteReasons :many
select error_reason, count(*) as writes from (select error_reason from writes where error_reason <> '' limit 10000) w
group by 1 order by 2 desc, 1;

-- name: WriteStatuses :many
select error_status, count(*) as writes from (select error_status from writes where error_status <> 0 limit 10000) w
group by 1 order by 2 desc, 1;

-- name: WriteOwners :many
select u.email, w.writes
from (
    select s.user_id, count(*) as writes
    from (select user_id from writes where state in ('pending', 'sending', 'uncertain', 'retry', 'blocked', 'rejected', 'conflict') limit 10000) s
    group by 1 order by 2 desc limit 20
) w
join users u on u.id = w.user_id
order by w.writes desc, u.email;

-- Tries again at once, as WritesRetry does for one owner.
-- name: WritesRetryChosen :many
update writes w
set state = 'pending', not_before = clock_timestamp(), failures = 0, finished_at = null
from harvest_connections c
where w.id = any(@ids::bigint[]) and c.id = w.connection_id and c.state = 'ok'
  and w.state in ('rejected', 'retry', 'blocked')
  and not exists (select from writes l where l.pushed_entry_id = w.pushed_entry_id and l.id > w.id)
returning w.id;

-- Looks at once what became of writes in doubt; too early a look is put off by
-- the drain.
-- name: WritesLookChosen :many
update writes w set not_before = clock_timestamp()
from harvest_connections c
where w.id = any(@ids::bigint[]) and c.id = w.connection_id and c.state = 'ok' and w.state = 'uncertain'
returning w.id;

-- name: WritesDropChosen :many
update writes w set state = 'dropped', finished_at = clock_timestamp(), operator_note = @note
where w.id = any(@ids::bigint[]) and w.state = any(@states::text[])
returning w.id;

-- name: WritesNote :exec
update writes set operator_note = @note where id = any(@ids::bigint[]);

-- name: WriteAttemptsByPerson :exec
insert into write_attempts (write_id, action, outcome) select unnest(@write_ids::bigint[]), @action, @outcome;

-- name: WriteEntryOf :one
select w.user_id, w.pushed_entry_id, p.project_id, p.task_id, p.spent_date
from writes w join pushed_entries p on p.id = w.pushed_entry_id
where w.id = @id;

-- name: WriteActionAdd :one
insert into write_actions (mutation_id, actor_id, action, search, note, up_to, previewed)
values (@mutation_id, @actor_id, @action, @search, @note, @up_to, @previewed)
on conflict (mutation_id) do nothing
returning id;

-- name: WriteActionByMutation :one
select id from write_actions where mutation_id = @mutation_id;

-- name: WriteActionRead :one
select a.*, coalesce(u.email, '')::text as actor from write_actions a left join users u on u.id = a.actor_id where a.id = @id;

-- Of several that want the next batch, one has it, and the others go away.
-- name: WriteActionLock :one
select * from write_actions where id = @id and finished_at is null for update skip locked;

-- Without a batch for a while.
-- name: WriteActionsOpen :many
select a.id from write_actions a
where a.finished_at is null and a.created_at < clock_timestamp() - sqlc.arg(age)::interval
  and not exists (select from write_action_batches b where b.action_id = a.id and b.at >= clock_timestamp() - sqlc.arg(age)::interval)
order by a.id;

-- name: WriteActionsLatest :many
select a.*, coalesce(u.email, '')::text as actor from write_actions a left join users u on u.id = a.actor_id order by a.id desc limit @most;

-- name: WriteActionStep :exec
update write_actions
set done_to = @done_to, changed = changed + @changed, skipped = skipped + @skipped,
    finished_at = case when sqlc.arg(finished)::boolean then clock_timestamp() end
where id = @id;

-- name: WriteActionBatchAdd :exec
insert into write_action_batches (action_id, number, last_id, changed, skipped)
select @action_id, coalesce(max(number), 0) + 1, @last_id, @changed, @skipped from write_action_batches where action_id = @action_id;

-- name: WriteActionBatches :many
select number, last_id, changed, skipped, at from write_action_batches where action_id = @action_id order by number desc limit @most;

-- name: WriteState :one
select state from writes where id = @id;
