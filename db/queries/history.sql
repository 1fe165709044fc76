-- What was done to the plan of a week; see history.go.

-- name: HistoryChanges :many
select c.id, c.kind, c.at, c.mutation_id, coalesce(c.undoes, 0)::bigint as undoes, coalesce(c.undone_by, 0)::bigint as undone_by, u.at as undone_at,
       coalesce(case when c.kind = 'redo' then again.kind else o.kind end, '')::text as undoes_kind
from plan_changes c
left join plan_changes u on u.id = c.undone_by
left join plan_changes o on o.id = c.undoes
left join plan_changes again on again.id = o.undoes
where c.user_id = @user_id and c.last_day >= sqlc.arg(first_day)::date and c.first_day <= sqlc.arg(last_day)::date
  and (sqlc.arg(before)::bigint = 0 or c.id < sqlc.arg(before)::bigint)
order by c.id desc
limit @most;

-- What changes did to cells. stands: the cell is still so.
-- name: HistoryCells :many
select c.id, e.project_id, e.task_id, e.date, e.minutes_before, e.note_before, e.minutes_after, e.note_after,
       cl.id as client_id, cl.name as client, p.name as project, t.name as task,
       (coalesce(now.minutes, 0) = e.minutes_after and coalesce(now.note, '') = e.note_after)::boolean as stands
from plan_changes c
join plan_events e on e.user_id = c.user_id and e.mutation_id = c.mutation_id
join projects p on p.id = e.project_id
join clients cl on cl.id = p.client_id
join tasks t on t.id = e.task_id
left join cells now on now.user_id = e.user_id and now.date = e.date and now.project_id = e.project_id and now.task_id = e.task_id
where c.user_id = @user_id and c.id = any(@ids::bigint[])
order by c.id desc, cl.name, p.name, t.name, e.project_id, e.task_id, e.date, e.id;

-- name: HistoryRows :many
select c.id, r.week, r.project_id, r.task_id, r.kept, cl.id as client_id, cl.name as client, p.name as project, t.name as task
from plan_changes c
join row_events r on r.user_id = c.user_id and r.mutation_id = c.mutation_id
join projects p on p.id = r.project_id
join clients cl on cl.id = p.client_id
join tasks t on t.id = r.task_id
where c.user_id = @user_id and c.id = any(@ids::bigint[])
order by c.id desc, cl.name, p.name, t.name, r.project_id, r.task_id, r.week;

-- What changes made of dates. stands: the date is still so.
-- name: HistoryDays :many
select c.id, e.date, e.off_before, e.off_after, e.name_before, e.name_after,
       ((now.date is not null) = e.off_after and coalesce(now.name, '') = e.name_after)::boolean as stands
from plan_changes c
join day_events e on e.user_id = c.user_id and e.mutation_id = c.mutation_id
left join days_off now on now.user_id = e.user_id and now.date = e.date
where c.user_id = @user_id and c.id = any(@ids::bigint[])
order by c.id desc, e.date;

-- What changes did to the order of clients, or of the rows of one; see order.go.
-- name: HistoryOrders :many
select id, reorder from plan_changes where user_id = @user_id and id = any(@ids::bigint[]) and reorder is not null;

-- name: ClientNames :many
select id, name from clients where user_id = @user_id and id = any(@ids::bigint[]);

-- name: RowNames :many
select p.id as project_id, t.id as task_id, cl.id as client_id, cl.name as client, p.name as project, t.name as task
from (select unnest(@projects::bigint[]) as project_id, unnest(@tasks::bigint[]) as task_id) k
join projects p on p.user_id = @user_id and p.id = k.project_id
join clients cl on cl.id = p.client_id
join tasks t on t.user_id = @user_id and t.id = k.task_id;

-- name: ChangeAt :one
select at from plan_changes
where user_id = @user_id and id = @id and last_day >= sqlc.arg(first_day)::date and first_day <= sqlc.arg(last_day)::date;

-- The latest change that touches a week; 0: there is none.
-- name: ChangeLatest :one
select coalesce(max(id), 0)::bigint from plan_changes
where user_id = @user_id and last_day >= sqlc.arg(first_day)::date and first_day <= sqlc.arg(last_day)::date;
