-- The queries of a week's page. They are sent in one batch; see weeks.go.

-- name: WeekHead :one
select coalesce(u.week_start, c.week_start, 1)::smallint as week_start,
       coalesce(u.time_zone, c.time_zone, 'UTC')::text as time_zone,
       coalesce(u.duration_format, c.duration_format, 'hours_minutes')::text as duration_format,
       coalesce(c.clock, '24h')::text as clock,
       coalesce(c.weekly_capacity, 2100)::int as weekly_capacity, u.capacity,
       coalesce(c.week_start, 1)::smallint as harvest_week_start,
       c.id as connection_id, coalesce(c.state, '')::text as connection_state, (c.held_since is not null)::boolean as held,
       (case when c.paused_until > clock_timestamp() then c.paused_until else 'epoch' end)::timestamptz as paused_until, coalesce(c.paused_reason, '')::text as paused_reason,
       coalesce(c.timestamp_timers, false)::boolean as timestamp_timers,
       coalesce(c.base_uri, '')::text as base_uri,
       c.pulled_at, c.budgets_at,
       coalesce(u.goal * 100, 0)::bigint as goal, coalesce(u.goal_currency, '')::text as goal_currency, coalesce(u.goal_every, '')::text as goal_every,
       coalesce(v.version, 0)::bigint as version,
       coalesce(r.id, 0)::bigint as run_id, coalesce(r.state, '')::text as run_state, coalesce(r.phase, '')::text as run_phase,
       coalesce(r.page, 0)::int as run_page, coalesce(r.pages, 0)::int as run_pages, coalesce(r.entries, 0)::int as run_entries,
       r.next_try_at as run_next_try, coalesce(r.error_reason, '')::text as run_reason, coalesce(r.error_status, 0)::int as run_status,
       coalesce(r.created_at, u.created_at)::timestamptz as run_created, r.finished_at as run_finished,
       w.waiting, w.uncertain, w.needs_you, coalesce(w.next_try, 'epoch')::timestamptz as next_try, w.reason, w.status
from users u
left join harvest_connections c on c.user_id = u.id
left join lateral (
    select s.id, s.state, s.phase, s.page, s.pages, s.entries, s.next_try_at, s.error_reason, s.error_status, s.created_at, s.finished_at
    from sync_runs s where s.user_id = u.id order by s.id desc limit 1
) r on true
left join lateral (
    -- Not by the ids, among those of all weeks and users: offset keeps the maximum out of the look-up.
    select max(pe.id) as version from (
        select e.id from plan_events e where e.user_id = u.id and e.date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date offset 0
    ) pe
) v on true
cross join lateral (
    select count(*) filter (where x.state in ('pending', 'sending', 'retry'))::int as waiting,
           count(*) filter (where x.state = 'uncertain')::int as uncertain,
           count(*) filter (where x.state in ('rejected', 'conflict', 'blocked'))::int as needs_you,
           min(x.not_before) filter (where x.state in ('pending', 'retry', 'uncertain') and x.not_before > now()) as next_try,
           coalesce(max(x.error_reason) filter (where x.state in ('pending', 'retry', 'uncertain')), '')::text as reason,
           coalesce(max(x.error_status) filter (where x.state in ('pending', 'retry', 'uncertain')), 0)::int as status
    from writes x
    where x.user_id = u.id and x.state in ('pending', 'sending', 'retry', 'uncertain', 'rejected', 'conflict', 'blocked')
      and x.id = (select max(y.id) from writes y where y.pushed_entry_id = x.pushed_entry_id and y.state <> 'superseded')
) w
where u.id = @user_id;

-- The planned cells, and the rows that were put into the week. day counts from
-- the first one: a small number is quicker to read than a date.
-- name: WeekCells :many
select c.project_id, c.task_id, (c.date - sqlc.arg(first_day)::date)::int as day, c.minutes, c.note, c.version, false as kept
from cells c where c.user_id = @user_id and c.date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date
union all
select w.project_id, w.task_id, 0, 0, '', 0, true
from week_rows w where w.user_id = @user_id and w.week between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date;

-- The entries of the week, and which of them do not say what is planned: those
-- that are not ours, of timers, or moved to another cell in Harvest. An approval
-- locks a whole week of the account's, so approved ones up to six days away come too.
-- name: WeekTracked :many
select e.project_id, e.task_id, (e.spent_date - sqlc.arg(first_day)::date)::int as day, e.hours,
       (p.id is null or p.project_id <> e.project_id or p.task_id <> e.task_id or p.spent_date <> e.spent_date)::boolean as others,
       e.is_running, e.is_locked, e.locked_reason, (e.approval_status = 'approved')::boolean as approved,
       e.harvest_id, coalesce(e.started_minute, -1)::int as started, coalesce(e.ended_minute, -1)::int as ended, e.billable
from time_entries e
left join pushed_entries p on p.user_id = e.user_id and p.remote_id = e.harvest_id and p.removed_at is null and p.kind = 'plan'
where e.user_id = @user_id and e.deleted_at is null
  and e.spent_date between sqlc.arg(first_day)::date - 6 and sqlc.arg(last_day)::date + 6
  and (e.spent_date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date or e.approval_status = 'approved');

-- The look-ups are lateral, so that they follow the indexes however long the
-- user's history is.
-- name: WeekPushed :many
select p.id, p.project_id, p.task_id, (p.spent_date - sqlc.arg(first_day)::date)::int as day, p.planned_minutes, p.planned_note, p.hours, p.notes,
       coalesce(p.remote_id, 0)::bigint as remote_id, coalesce(p.agreed_hours, 0)::int as agreed_hours,
       coalesce(p.agreed_notes, '')::text as agreed_notes,
       coalesce(e.hours, 0)::int as remote_hours, coalesce(e.notes, '')::text as remote_notes,
       coalesce(e.project_id, 0)::bigint as remote_project, coalesce(e.task_id, 0)::bigint as remote_task,
       (coalesce(e.spent_date, p.spent_date) - sqlc.arg(first_day)::date)::int as remote_day,
       (p.remote_id is not null and (e.harvest_id is null or e.deleted_at is not null))::boolean as gone,
       exists (select from writes f where f.pushed_entry_id = p.id and f.state in ('sending', 'uncertain')) as in_flight,
       coalesce(w.id, 0)::bigint as write_id, coalesce(w.op, '')::text as op, coalesce(w.state, '')::text as state,
       coalesce(w.not_before, 'epoch')::timestamptz as not_before,
       coalesce(w.error_reason, '')::text as error_reason, coalesce(w.error_status, 0)::int as error_status,
       coalesce(w.error_message, '')::text as error_message, coalesce(w.payload->>'start', '')::text as start,
       coalesce(e.started_minute, -1)::int as remote_started
from pushed_entries p
left join lateral (
    select y.harvest_id, y.hours, y.notes, y.deleted_at, y.project_id, y.task_id, y.spent_date, y.started_minute from time_entries y
    where y.user_id = p.user_id and y.harvest_id = p.remote_id limit 1
) e on true
left join lateral (
    select x.id, x.op, x.state, x.not_before, x.error_reason, x.error_status, x.error_message, x.payload
    from writes x where x.pushed_entry_id = p.id and x.state <> 'superseded' and x.op <> 'remove_double' order by x.id desc limit 1
) w on true
where p.user_id = @user_id and p.spent_date between sqlc.arg(first_day)::date and sqlc.arg(last_day)::date and p.removed_at is null and p.kind = 'plan';

-- Names and assignments are read as they lie and joined by the reader, who
-- needs most of them: for the rows of the week, and for what may be added.
-- name: WeekProjects :many
select p.id, p.name, cl.id as client_id, cl.name as client, cl.currency, coalesce(o.position, 2147483647)::int as position
from projects p
join clients cl on cl.id = p.client_id
left join client_orders o on o.user_id = p.user_id and o.client_id = cl.id
where p.user_id = @user_id;

-- name: WeekTasks :many
select id, name from tasks where user_id = @user_id;

-- Rates are in hundredths; -1 is an unknown one.
-- name: WeekAssignments :many
select project_id, task_id, active, billable, coalesce(hourly_rate * 100, -1)::bigint as rate
from assignments where user_id = @user_id;

-- name: CellHistory :many
select id, kind, at, minutes_before, minutes_after, note_before, note_after
from plan_events
where user_id = @user_id and project_id = @project_id and task_id = @task_id and date = @date
order by id desc
limit @most;

-- name: PlanBefore :one
select minutes_before, note_before from plan_events
where user_id = @user_id and project_id = @project_id and task_id = @task_id and date = @date and id = @id;

-- The time entries of one cell, for its page.
-- name: CellEntries :many
select e.harvest_id, e.hours, e.notes, (p.id is not null)::boolean as ours, (p.id is null and not e.is_locked and not e.is_running)::boolean as free
from time_entries e
left join pushed_entries p on p.user_id = e.user_id and p.remote_id = e.harvest_id and p.removed_at is null
where e.user_id = @user_id and e.project_id = @project_id and e.task_id = @task_id and e.spent_date = @date and e.deleted_at is null
order by e.created_at, e.harvest_id;

-- What changed after a version, and how it was before: the first change tells.
-- name: CellsAt :many
select distinct on (project_id, task_id, date) project_id, task_id, date, minutes_before
from plan_events
where user_id = @user_id and date between sqlc.arg(first_day) and sqlc.arg(last_day) and id > @version
order by project_id, task_id, date, id;

-- Clients, projects and tasks that only exist here, by name.
-- name: LocalClient :one
with found as (
    select c.id from clients c where c.user_id = @user_id and c.harvest_id is null and c.name = @name order by c.id limit 1
), made as (
    insert into clients (user_id, name) select @user_id, @name where not exists (select from found) returning id
)
select id from found union all select id from made;

-- name: LocalProject :one
with found as (
    select p.id from projects p
    where p.user_id = @user_id and p.client_id = @client_id and p.harvest_id is null and p.name = @name order by p.id limit 1
), made as (
    insert into projects (user_id, client_id, name) select @user_id, @client_id, @name where not exists (select from found) returning id
)
select id from found union all select id from made;

-- name: LocalTask :one
with found as (
    select t.id from tasks t where t.user_id = @user_id and t.harvest_id is null and t.name = @name order by t.id limit 1
), made as (
    insert into tasks (user_id, name) select @user_id, @name where not exists (select from found) returning id
)
select id from found union all select id from made;

-- name: RowName :one
select cl.id as client_id, cl.name as client, p.name as project, t.name as task
from projects p
join clients cl on cl.id = p.client_id
join tasks t on t.user_id = p.user_id
where p.user_id = @user_id and p.id = @project_id and t.id = @task_id;
