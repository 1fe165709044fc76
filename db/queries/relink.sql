-- After a hold: entries of ours in Harvest are found by their reference. See
-- hold.go.

-- The spent dates of a connection's unfinished writes; today without any.
-- name: UnfinishedDates :one
select coalesce(min(p.spent_date), current_date)::date as first_day, coalesce(max(p.spent_date), current_date)::date as last_day
from writes w join pushed_entries p on p.id = w.pushed_entry_id
where w.connection_id = @connection_id and w.state in ('pending', 'sending', 'uncertain', 'retry', 'blocked');

-- The mirrored entries that carry a reference of ours and are not linked to an
-- entry of ours, with the plan of their cell and what else is tracked on it. A
-- timer that runs is left alone: it does not say what is planned.
-- name: EntriesUnlinked :many
select e.harvest_id, e.project_id, e.task_id, e.spent_date, e.hours, e.notes, e.reference_id, e.updated_at,
       coalesce(c.minutes, 0)::int as planned, coalesce(c.note, '')::text as note, o.hours as others, o.entries as others_count
from time_entries e
left join cells c on c.user_id = e.user_id and c.date = e.spent_date and c.project_id = e.project_id and c.task_id = e.task_id
cross join lateral (
    select coalesce(sum(x.hours), 0)::int as hours, count(*)::int as entries from time_entries x
    where x.user_id = e.user_id and x.spent_date = e.spent_date and x.project_id = e.project_id and x.task_id = e.task_id
      and x.harvest_id <> e.harvest_id and x.deleted_at is null
) o
where e.user_id = @user_id and e.reference_id <> '' and e.deleted_at is null and not e.is_running
  and not exists (select from pushed_entries p where p.user_id = e.user_id and p.remote_id = e.harvest_id)
order by e.harvest_id;

-- An entry of ours that was not known to be in Harvest is, or one that was made
-- anew is there in its later generation. It was made as it was meant to be; what
-- it says there now, the mirror tells. That it was given up here does not count,
-- unless another one took its place.
-- name: PushedLink :execrows
update pushed_entries p
set generation = @generation, remote_id = sqlc.arg(remote_id)::bigint, agreed_hours = p.hours, agreed_notes = p.notes,
    agreed_updated_at = sqlc.arg(updated_at)::timestamptz, removed_at = null
where p.id = @id and p.user_id = @user_id and p.generation <= @generation
  and (p.remote_id is null or exists (select from time_entries g
      where g.user_id = p.user_id and g.harvest_id = p.remote_id and g.deleted_at is not null))
  and not exists (select from pushed_entries q where q.user_id = p.user_id and q.spent_date = p.spent_date
      and q.project_id = p.project_id and q.task_id = p.task_id and q.id <> p.id and q.removed_at is null
      and p.kind = 'plan' and q.kind = 'plan');

-- Whose it is does not matter: an id is given once.
-- name: PushedExists :one
select exists (select from pushed_entries where id = @id);

-- An entry of ours that Harvest does not have gives way to one of the same cell
-- that it has.
-- name: PushedGiveWay :one
update pushed_entries p set removed_at = clock_timestamp()
where p.user_id = @user_id and p.spent_date = @spent_date and p.project_id = @project_id and p.task_id = @task_id
  and p.removed_at is null and p.remote_id is null and p.kind = 'plan'
  and not exists (select from time_entries e where e.user_id = p.user_id and e.deleted_at is null
      and e.reference_id = sqlc.arg(reference_group)::text || ':' || p.id || ':' || p.generation)
returning p.id, p.hours, p.notes;

-- Nothing is stored if the cell has another entry of ours.
-- name: PushedAdopt :execrows
insert into pushed_entries (id, user_id, connection_id, project_id, task_id, spent_date, generation, planned_minutes, planned_note,
    hours, notes, remote_id, agreed_hours, agreed_notes, agreed_updated_at)
values (@id, @user_id, @connection_id, @project_id, @task_id, @spent_date, @generation, @planned_minutes, @planned_note,
    @hours, @notes, @remote_id, @agreed_hours, @agreed_notes, @agreed_updated_at)
on conflict do nothing;

-- What was to be sent for the entry that gave way belongs to the other one now.
-- name: WritesMove :many
update writes w
set pushed_entry_id = @to_id, remote_id = @remote_id,
    state = case when w.state in ('pending', 'sending', 'uncertain', 'retry', 'blocked', 'rejected') then @state else w.state end,
    finished_at = coalesce(w.finished_at, clock_timestamp())
where w.pushed_entry_id = @from_id and w.user_id = @user_id
returning w.id, w.state;

-- name: PushedForget :exec
delete from pushed_entries where id = @id and user_id = @user_id and removed_at is not null;
