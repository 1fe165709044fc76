-- Timers; see the view of that name.

-- name: Timers :many
select project_id, task_id, spent_date, coalesce(pushed_entry_id::text, '')::text as pushed_entry_id, coalesce(remote_id, 0)::bigint as remote_id,
       coalesce(running, false)::boolean as running, started_at, coalesce(hours_before, 0)::int as hours_before, coalesce(hours, 0)::int as hours,
       coalesce(write_id, 0)::bigint as write_id, coalesce(op, '')::text as op, coalesce(state, '')::text as state,
       coalesce(created_at, 'epoch')::timestamptz as created_at, coalesce(not_before, 'epoch')::timestamptz as not_before,
       coalesce(error_reason, '')::text as error_reason, coalesce(error_status, 0)::int as error_status, coalesce(error_message, '')::text as error_message
from timers
where user_id = @user_id;

-- What a new timer of a cell goes on with: an entry of ours that never came to
-- be in Harvest, or, if restart is allowed, one that does not run and still says
-- the same. One with an end is a span of an account with start and end times.
-- name: TimerReuse :one
select p.id, p.generation, p.remote_id
from pushed_entries p
left join time_entries e on e.user_id = p.user_id and e.harvest_id = p.remote_id
where p.user_id = @user_id and p.connection_id = @connection_id and p.project_id = @project_id and p.task_id = @task_id and p.spent_date = @spent_date
  and p.removed_at is null and p.kind = 'timer'
  and not exists (select from writes f where f.pushed_entry_id = p.id and f.state in ('pending', 'sending', 'uncertain', 'retry', 'blocked'))
  and (p.remote_id is null
      or sqlc.arg(restart)::boolean and e.deleted_at is null and not e.is_running and not e.is_locked and e.ended_minute is null and e.notes = @note
         and (e.project_id, e.task_id, e.spent_date) = (p.project_id, p.task_id, p.spent_date))
order by (select max(w.id) from writes w where w.pushed_entry_id = p.id) desc nulls last
limit 1;

-- name: TimerCreate :one
insert into pushed_entries (user_id, connection_id, project_id, task_id, spent_date, planned_minutes, planned_note, hours, notes, kind)
values (@user_id, @connection_id, @project_id, @task_id, @spent_date, 0, @note, 0, @note, 'timer')
returning id, generation;

-- name: TimerMean :exec
update pushed_entries set planned_note = @note, notes = @note where id = @id and user_id = @user_id;

-- A start that has provably not happened is taken back.
-- name: StartTakeBack :execrows
update writes set state = 'superseded', finished_at = clock_timestamp()
where id = @id and user_id = @user_id and op = 'start' and state in ('pending', 'retry', 'blocked');

-- What was refused of the timers of a cell gives way to a new one.
-- name: TimersGiveWay :exec
update writes w set state = 'superseded', finished_at = clock_timestamp()
from pushed_entries p
where p.id = w.pushed_entry_id and w.user_id = @user_id and w.op in ('start', 'stop') and w.state in ('rejected', 'conflict')
  and p.project_id = @project_id and p.task_id = @task_id and p.spent_date = @spent_date and p.kind = 'timer';

-- Harvest lets one timer run for each person, so one that was started has stopped
-- the others. What they came to is for the next sync to tell.
-- name: TimersStopped :exec
update time_entries set is_running = false, timer_started_at = null, timer_before = 0
where user_id = @user_id and is_running and harvest_id <> @harvest_id
  and (timer_started_at is null or timer_started_at <= sqlc.arg(started_at)::timestamptz);

-- Harvest has carried out a start twice: the timer is on the entry that runs.
-- name: TimerRelink :exec
update pushed_entries p set remote_id = e.harvest_id
from time_entries e
where e.user_id = @user_id and e.is_running and e.deleted_at is null and e.reference_id <> ''
  and p.user_id = e.user_id and p.kind = 'timer' and p.removed_at is null and p.remote_id <> e.harvest_id
  and e.reference_id = sqlc.arg(reference_group)::text || ':' || p.id || ':' || p.generation
  and not exists (select from writes f where f.pushed_entry_id = p.id and f.state in ('pending', 'sending', 'uncertain', 'retry', 'blocked'));

-- name: TimerEntry :one
select generation, remote_id, notes from pushed_entries where id = @id and user_id = @user_id;
