-- Rows that people look for; see find.go.

-- Rows with time, planned or tracked, between two dates, and those put into the
-- weeks that begin there. local: Harvest does not know the row.
-- name: RowsUsed :many
select u.project_id, u.task_id, cl.id as client_id, cl.name as client, p.name as project, t.name as task,
       (p.harvest_id is null or t.harvest_id is null)::boolean as local,
       coalesce(max(u.date) filter (where u.minutes > 0), 'epoch')::date as last, coalesce(sum(u.minutes), 0)::int as minutes
from (
    select c.project_id, c.task_id, c.date, c.minutes
    from cells c where c.user_id = @user_id and c.date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date
    union all
    select e.project_id, e.task_id, e.spent_date, e.hours * 60 / 100
    from time_entries e where e.user_id = @user_id and e.spent_date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date and e.deleted_at is null
    union all
    select w.project_id, w.task_id, w.week, 0
    from week_rows w where w.user_id = @user_id and w.week between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date
) u
join projects p on p.user_id = @user_id and p.id = u.project_id
join clients cl on cl.id = p.client_id
join tasks t on t.user_id = @user_id and t.id = u.task_id
group by u.project_id, u.task_id, cl.id, p.id, t.id
order by u.project_id, u.task_id;

-- A row may be put into a week if it is assigned in Harvest, or Harvest does not
-- know it.
-- name: RowChoosable :one
select (exists (select from assignments a where a.user_id = @user_id and a.project_id = @project_id and a.task_id = @task_id)
    or exists (
        select from projects p join tasks t on t.user_id = p.user_id
        where p.user_id = @user_id and p.id = @project_id and t.id = @task_id and (p.harvest_id is null or t.harvest_id is null)
    ))::boolean as choosable;
