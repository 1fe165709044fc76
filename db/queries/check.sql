-- The self-check of a week. Both queries are sent in one batch; see check.go.

-- The entries of ours that belong to the week, timers' included.
-- name: CheckSent :many
select p.id, p.project_id, p.task_id, p.spent_date, (p.kind = 'timer')::boolean as timer, p.hours, p.notes,
       coalesce(p.remote_id, 0)::bigint as remote_id, coalesce(p.agreed_hours, 0)::int as agreed_hours, coalesce(p.agreed_notes, '')::text as agreed_notes,
       coalesce(e.hours, 0)::int as remote_hours, coalesce(e.notes, '')::text as remote_notes,
       coalesce(e.project_id, p.project_id)::bigint as remote_project, coalesce(e.task_id, p.task_id)::bigint as remote_task,
       coalesce(e.spent_date, p.spent_date)::date as remote_date,
       (p.remote_id is not null and (e.harvest_id is null or e.deleted_at is not null))::boolean as gone,
       coalesce(w.id, 0)::bigint as write_id, coalesce(w.op, '')::text as op, coalesce(w.state, '')::text as state,
       coalesce(w.not_before, 'epoch')::timestamptz as not_before, coalesce(w.error_reason, '')::text as error_reason,
       coalesce(w.error_status, 0)::int as error_status, coalesce(w.error_message, '')::text as error_message
from pushed_entries p
left join time_entries e on e.user_id = p.user_id and e.harvest_id = p.remote_id
left join lateral (
    select x.id, x.op, x.state, x.not_before, x.error_reason, x.error_status, x.error_message
    from writes x where x.pushed_entry_id = p.id and x.state <> 'superseded' and x.op <> 'remove_double' order by x.id desc limit 1
) w on true
where p.user_id = @user_id and p.spent_date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date and p.removed_at is null
order by p.spent_date, p.project_id, p.task_id, p.id;

-- The entries in Harvest with a reference of ours that are in the week, or that
-- have the reference of one that should be. What a person let go of was ours
-- under the same id.
-- name: CheckFound :many
select e.harvest_id, e.project_id, e.task_id, e.spent_date, e.hours, e.notes, coalesce(p.id::text, '')::text as pushed_id,
       exists (select from pushed_entries k where k.user_id = e.user_id and k.remote_id = e.harvest_id and k.removed_at is not null) as let_go,
       coalesce(w.id, 0)::bigint as write_id, coalesce(w.state, '')::text as state
from time_entries e
left join pushed_entries p on p.user_id = e.user_id and p.removed_at is null
    and e.reference_id = sqlc.arg(reference_group)::text || ':' || p.id || ':' || p.generation
left join lateral (
    select x.id, x.state from writes x
    where x.user_id = e.user_id and x.op = 'remove_double' and x.remote_id = e.harvest_id order by x.id desc limit 1
) w on true
where e.user_id = @user_id and e.reference_id <> '' and e.deleted_at is null
  and (e.spent_date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date
       or p.spent_date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date)
order by e.harvest_id;
