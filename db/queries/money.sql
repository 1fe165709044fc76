-- The queries of a week's page about time off and money. They are sent in one
-- batch with those of weeks.sql.

-- name: WeekOff :many
select date, name from days_off
where user_id = @user_id and date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date
order by date;

-- What is planned and tracked in the month of the week on the days outside of it.
-- name: WeekElsewhere :many
select c.project_id, c.task_id, sum(c.minutes)::bigint as planned, 0::bigint as tracked, 0::bigint as billed
from cells c
where c.user_id = @user_id and c.date between sqlc.arg(month_start)::date and sqlc.arg(month_end)::date
  and c.date not between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date
group by c.project_id, c.task_id
union all
select e.project_id, e.task_id, 0, sum(e.hours), coalesce(sum(e.hours) filter (where e.billable), 0)
from time_entries e
where e.user_id = @user_id and e.deleted_at is null and e.spent_date between sqlc.arg(month_start)::date and sqlc.arg(month_end)::date
  and e.spent_date not between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date
group by e.project_id, e.task_id;

-- What is planned outside of the week on projects that have a budget of their
-- own, and what of it is tracked, since before any user's week began: what is
-- needed of it depends on the user's date.
-- name: WeekAhead :many
select c.project_id, c.task_id, c.date, c.minutes, coalesce(e.hours, 0)::int as tracked
from cells c
join project_budgets b on b.user_id = c.user_id and b.project_id = c.project_id and b.budget_by in ('project', 'project_cost')
left join (
    select t.project_id, t.task_id, t.spent_date, sum(t.hours) as hours
    from time_entries t
    where t.user_id = @user_id and t.deleted_at is null and t.spent_date > current_date - 10
    group by t.project_id, t.task_id, t.spent_date
) e on e.project_id = c.project_id and e.task_id = c.task_id and e.spent_date = c.date
where c.user_id = @user_id and c.date > current_date - 10 and c.minutes > 0
  and c.date not between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date;

-- name: WeekBudgets :many
select b.project_id, b.budget_by, b.is_monthly, b.budget::text as budget, b.spent::text as spent
from project_budgets b
where b.user_id = @user_id and b.budget_by <> 'none' and b.budget > 0 and b.spent is not null;

-- name: WeekRates :many
select project_id, coalesce(task_id, 0)::bigint as task_id, (rate * 100)::bigint as rate
from rate_overrides where user_id = @user_id;

-- The rows that may have a rate: what may be logged in Harvest, what was put into
-- a week here, and what has a rate already. Rates are hundredths; -1 is none.
-- name: Rates :many
select r.project_id, r.task_id, cl.id as client_id, cl.name as client, cl.currency, p.name as project, t.name as task,
       (a.user_id is not null)::boolean as assigned, coalesce(a.billable, false)::boolean as billable,
       coalesce(a.hourly_rate * 100, -1)::bigint as harvest,
       coalesce(o.rate * 100, -1)::bigint as own, coalesce(d.rate * 100, -1)::bigint as of_project
from (
    select x.project_id, x.task_id from assignments x where x.user_id = @user_id and x.active
    union
    select w.project_id, w.task_id from week_rows w where w.user_id = @user_id
    union
    select y.project_id, y.task_id from rate_overrides y where y.user_id = @user_id and y.task_id is not null
) r
join projects p on p.user_id = @user_id and p.id = r.project_id
join clients cl on cl.id = p.client_id
join tasks t on t.user_id = @user_id and t.id = r.task_id
left join assignments a on a.user_id = @user_id and a.project_id = r.project_id and a.task_id = r.task_id
left join rate_overrides o on o.user_id = @user_id and o.project_id = r.project_id and o.task_id = r.task_id
left join rate_overrides d on d.user_id = @user_id and d.project_id = r.project_id and d.task_id is null
order by lower(cl.name), cl.id, lower(p.name), p.id, lower(t.name), t.id;

-- name: RatesForget :exec
with named as (
    select unnest(@project_ids::bigint[]) as project_id, unnest(@task_ids::bigint[]) as task_id
)
delete from rate_overrides o using named n
where o.user_id = @user_id and o.project_id = n.project_id and coalesce(o.task_id, 0) = n.task_id;

-- name: RatesSave :execrows
with named as (
    select unnest(@project_ids::bigint[]) as project_id, unnest(@task_ids::bigint[]) as task_id, unnest(@rates::bigint[]) as rate
)
insert into rate_overrides (user_id, project_id, task_id, rate)
select p.user_id, p.id, t.id, n.rate / 100.0
from named n
join projects p on p.user_id = @user_id and p.id = n.project_id
left join tasks t on t.user_id = @user_id and t.id = n.task_id
where n.task_id = 0 or t.id is not null;

-- name: DaysOff :many
select date, name from days_off where user_id = @user_id and date >= @first_day order by date;

-- name: CapacitySet :exec
update users set capacity = @capacity where id = @id;

-- name: GoalSet :exec
update users set goal = sqlc.narg(goal)::bigint / 100.0, goal_currency = sqlc.narg(goal_currency), goal_every = sqlc.narg(goal_every) where id = @id;

-- name: Goal :one
select coalesce(goal * 100, 0)::bigint as goal, coalesce(goal_currency, '')::text as goal_currency, coalesce(goal_every, '')::text as goal_every
from users where id = @id;
