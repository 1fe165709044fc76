-- Filling weeks: templates, recurring work, and what the week before has left.

-- The time that rows of a week have left, and how many rows the week has: what
-- was planned less what was tracked or is on its way to Harvest. It says what
-- planner.CarryOver proposes, without reading the week.
-- name: WeekLeft :one
with planned as (
    select c.project_id, c.task_id, sum(c.minutes)::int as minutes
    from cells c where c.user_id = @user_id and c.date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date
    group by 1, 2
), tracked as (
    select x.project_id, x.task_id, sum((x.hours * 60 + 50) / 100)::int as minutes
    from (
        select e.project_id, e.task_id, e.spent_date, sum(e.hours) as hours
        from (
            select t.project_id, t.task_id, t.spent_date, t.hours
            from time_entries t
            where t.user_id = @user_id and t.spent_date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date and t.deleted_at is null
            union all
            select p.project_id, p.task_id, p.spent_date, p.hours - coalesce(t.hours, 0)
            from pushed_entries p
            left join time_entries t on t.user_id = p.user_id and t.harvest_id = p.remote_id and t.deleted_at is null
            where p.user_id = @user_id and p.spent_date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date
              and p.removed_at is null and p.kind = 'plan'
              and exists (select from writes w where w.pushed_entry_id = p.id and w.state in ('pending', 'sending', 'uncertain', 'retry'))
        ) e
        group by 1, 2, 3
    ) x
    group by 1, 2
)
select coalesce(sum(greatest(0, p.minutes - coalesce(t.minutes, 0))) filter (where a.active is distinct from false and d.week is null), 0)::int as unfinished,
       (count(p.project_id) > 0 or exists (select from tracked)
        or exists (select from week_rows w where w.user_id = @user_id and w.week between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date))::boolean as rows
from planned p
left join tracked t on t.project_id = p.project_id and t.task_id = p.task_id
left join assignments a on a.user_id = @user_id and a.project_id = p.project_id and a.task_id = p.task_id
left join carry_dismissals d on d.user_id = @user_id and d.week = sqlc.arg(last_day)::date + 1;

-- name: CarryDismiss :exec
insert into carry_dismissals (user_id, week) values (@user_id, @week) on conflict do nothing;

-- name: Templates :many
select t.id, t.name, (count(distinct (c.project_id, c.task_id)) filter (where c.template_id is not null))::int as rows, coalesce(sum(c.minutes), 0)::int as minutes
from week_templates t
left join template_cells c on c.template_id = t.id
where t.user_id = @user_id
group by t.id
order by lower(t.name), t.id;

-- name: TemplateByID :one
select id, name from week_templates where user_id = @user_id and id = @id;

-- name: TemplateCells :many
select c.project_id, c.task_id, c.weekday, c.minutes, c.note, cl.id as client_id, cl.name as client, p.name as project, k.name as task,
       (a.active is not distinct from false)::boolean as archived
from template_cells c
join week_templates t on t.id = c.template_id
join projects p on p.id = c.project_id
join clients cl on cl.id = p.client_id
join tasks k on k.id = c.task_id
left join assignments a on a.user_id = t.user_id and a.project_id = c.project_id and a.task_id = c.task_id
where t.user_id = @user_id and t.id = @id
order by lower(cl.name), cl.id, lower(p.name), p.id, lower(k.name), k.id, c.weekday;

-- name: TemplateMake :one
insert into week_templates (user_id, name) values (@user_id, @name) returning id;

-- name: TemplateCellsAdd :execrows
insert into template_cells (template_id, project_id, task_id, weekday, minutes, note)
select @template_id, k.project_id, k.task_id, k.weekday, k.minutes, k.note
from (select unnest(@projects::bigint[]) as project_id, unnest(@tasks::bigint[]) as task_id, unnest(@weekdays::smallint[]) as weekday,
             unnest(@minutes::int[]) as minutes, unnest(@notes::text[]) as note) k
join projects p on p.user_id = @user_id and p.id = k.project_id
join tasks t on t.user_id = @user_id and t.id = k.task_id;

-- name: TemplateRename :execrows
update week_templates set name = @name where user_id = @user_id and id = @id;

-- name: TemplateDelete :execrows
delete from week_templates where user_id = @user_id and id = @id;

-- name: Recurrences :many
select r.id, r.project_id, r.task_id, r.weekdays, r.minutes, r.note, r.starts_on, r.ends_on, r.filled_to,
       cl.id as client_id, cl.name as client, p.name as project, k.name as task, (a.active is not distinct from false)::boolean as archived
from recurrences r
join projects p on p.id = r.project_id
join clients cl on cl.id = p.client_id
join tasks k on k.id = r.task_id
left join assignments a on a.user_id = r.user_id and a.project_id = r.project_id and a.task_id = r.task_id
where r.user_id = @user_id
order by lower(cl.name), cl.id, lower(p.name), p.id, lower(k.name), k.id, r.id;

-- name: RecurrenceByMutation :one
select id from recurrences where user_id = @user_id and mutation_id = @mutation_id;

-- name: RecurrenceMake :one
insert into recurrences (user_id, mutation_id, project_id, task_id, weekdays, minutes, note, starts_on, ends_on, filled_to)
select @user_id, @mutation_id, p.id, t.id, @weekdays, @minutes, @note, @starts_on, sqlc.narg(ends_on)::date, @filled_to
from projects p
join tasks t on t.user_id = @user_id and t.id = @task_id
where p.user_id = @user_id and p.id = @project_id
returning id;

-- name: RecurrenceEnd :exec
update recurrences set ends_on = @ends_on where user_id = @user_id and id = @id;

-- name: RecurrenceDelete :exec
delete from recurrences where user_id = @user_id and id = @id;

-- name: RecurrenceFilled :exec
update recurrences set filled_to = @filled_to where user_id = @user_id and id = @id;

-- Whose recurring work is not planned half a year ahead any more.
-- name: UsersWithShortRecurrences :many
select distinct user_id from recurrences
where filled_to < current_date + 182 and (ends_on is null or ends_on > filled_to)
order by user_id;

-- What recurrences need to know of the cells of a row: what was made of each
-- last, by which recurrence if by one, and whether anything else ever wrote it.
-- name: RecurringCells :many
select distinct on (e.date) e.date, e.minutes_after, e.note_after,
       (case when e.kind = 'recurring' then split_part(e.mutation_id, '-', 2) else '0' end)::bigint as rule,
       bool_or(e.kind <> 'recurring') over (partition by e.date) as touched
from plan_events e
where e.user_id = @user_id and e.project_id = @project_id and e.task_id = @task_id and e.date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date
order by e.date, e.id desc;
