-- Changes of the plan; see changes.go.

-- Changes of one user's plan follow each other by this lock. What they read is
-- asked for by statements of their own afterwards: one that waits for a lock
-- goes on with what it saw before.
-- name: PlanLock :one
select id from users where id = @user_id for no key update;

-- Cells as they stand, in the order in which they are asked for. The version is
-- that of the history: a cleared cell has no row to remember it. stored_before
-- is what the mutation made of the cell, if it was stored before. Cells of others
-- are not among them.
-- name: CellsRead :many
select coalesce(c.minutes, 0)::int as minutes, coalesce(c.note, '')::text as note, coalesce(v.version, 0)::bigint as version,
       (s.minutes_after is not null)::boolean as stored_before, coalesce(s.minutes_after, 0)::int as stored_minutes, coalesce(s.note_after, '')::text as stored_note
from (select unnest(@projects::bigint[]) as project_id, unnest(@tasks::bigint[]) as task_id, unnest(@dates::date[]) as date, generate_subscripts(@projects::bigint[], 1) as n) k
join projects p on p.user_id = @user_id and p.id = k.project_id
join tasks t on t.user_id = @user_id and t.id = k.task_id
left join cells c on c.user_id = @user_id and c.project_id = k.project_id and c.task_id = k.task_id and c.date = k.date
left join lateral (
    select max(e.id) as version from (
        select x.id from plan_events x where x.user_id = @user_id and x.project_id = k.project_id and x.task_id = k.task_id and x.date = k.date offset 0
    ) e
) v on true
left join plan_events s on s.user_id = @user_id and s.mutation_id = @mutation_id and s.project_id = k.project_id and s.task_id = k.task_id and s.date = k.date
order by k.n;

-- A change, what it made of cells, and their lines of history, in one statement.
-- A choice may be stored in more than one go. A cell without time and note has
-- no row.
-- name: ChangeStore :one
with change as (
    insert into plan_changes as pc (user_id, mutation_id, kind, first_day, last_day, undoes, reorder)
    values (@user_id, @mutation_id, @kind, @first_day, @last_day, sqlc.narg(undoes), sqlc.narg(reorder))
    on conflict (user_id, mutation_id) do update set first_day = least(pc.first_day, excluded.first_day), last_day = greatest(pc.last_day, excluded.last_day)
    returning pc.id
), events as (
    insert into plan_events (user_id, kind, mutation_id, project_id, task_id, date, minutes_before, minutes_after, note_before, note_after)
    select @user_id, @kind, @mutation_id, k.project_id, k.task_id, k.date, k.minutes_before, k.minutes_after, k.note_before, k.note_after
    from (select unnest(@projects::bigint[]) as project_id, unnest(@tasks::bigint[]) as task_id, unnest(@dates::date[]) as date,
                 unnest(@minutes_before::int[]) as minutes_before, unnest(@minutes_after::int[]) as minutes_after,
                 unnest(@notes_before::text[]) as note_before, unnest(@notes_after::text[]) as note_after) k
    returning id, user_id, project_id, task_id, date, minutes_after, note_after
), cleared as (
    delete from cells c using events e
    where c.user_id = e.user_id and c.project_id = e.project_id and c.task_id = e.task_id and c.date = e.date
      and e.minutes_after = 0 and e.note_after = ''
), stored as (
    insert into cells (user_id, project_id, task_id, date, minutes, note, version)
    select e.user_id, e.project_id, e.task_id, e.date, e.minutes_after, e.note_after, e.id
    from events e where e.minutes_after > 0 or e.note_after <> ''
    on conflict (user_id, date, project_id, task_id) do update
    set minutes = excluded.minutes, note = excluded.note, version = excluded.version
)
select id from change;

-- Puts rows into weeks and takes rows out of them, as far as they are not so
-- already. weeks are first days of weeks.
-- name: RowsStore :many
with wanted as (
    select k.week, k.project_id, k.task_id, k.kept
    from (select unnest(@weeks::date[]) as week, unnest(@projects::bigint[]) as project_id, unnest(@tasks::bigint[]) as task_id, unnest(@kept::boolean[]) as kept) k
    join projects p on p.user_id = @user_id and p.id = k.project_id
    join tasks t on t.user_id = @user_id and t.id = k.task_id
), put as (
    insert into week_rows as w (user_id, week, project_id, task_id)
    select @user_id, k.week, k.project_id, k.task_id from wanted k
    where k.kept and not exists (
        select from week_rows o where o.user_id = @user_id and o.week between k.week and k.week + 6 and o.project_id = k.project_id and o.task_id = k.task_id
    )
    on conflict do nothing
    returning w.week, w.project_id, w.task_id
), taken as (
    delete from week_rows w using wanted k
    where not k.kept and w.user_id = @user_id and w.week between k.week and k.week + 6 and w.project_id = k.project_id and w.task_id = k.task_id
    returning w.week, w.project_id, w.task_id
)
select week, project_id, task_id, true as kept from put
union all
select week, project_id, task_id, false from taken;

-- name: RowEventsAdd :exec
insert into row_events (user_id, mutation_id, week, project_id, task_id, kept)
select @user_id, @mutation_id, unnest(@weeks::date[]), unnest(@projects::bigint[]), unnest(@tasks::bigint[]), unnest(@kept::boolean[]);

-- Dates as they stand, in the order in which they are asked for. stored_before:
-- the mutation has changed the date before.
-- name: DaysRead :many
select k.date::date as date, (o.date is not null)::boolean as off, coalesce(o.name, '')::text as name, (e.id is not null)::boolean as stored_before
from (select unnest(@dates::date[]) as date, generate_subscripts(@dates::date[], 1) as n) k
left join days_off o on o.user_id = @user_id and o.date = k.date
left join day_events e on e.user_id = @user_id and e.mutation_id = @mutation_id and e.date = k.date
order by k.n;

-- What a change makes of dates, and their lines of history.
-- name: DaysStore :exec
with events as (
    insert into day_events (user_id, mutation_id, date, off_before, off_after, name_before, name_after)
    select @user_id, @mutation_id, k.date, k.off_before, k.off_after, k.name_before, k.name_after
    from (select unnest(@dates::date[]) as date, unnest(@off_before::boolean[]) as off_before, unnest(@off_after::boolean[]) as off_after,
                 unnest(@names_before::text[]) as name_before, unnest(@names_after::text[]) as name_after) k
    returning user_id, date, off_after, name_after
), worked as (
    delete from days_off o using events e where o.user_id = e.user_id and o.date = e.date and not e.off_after
)
insert into days_off (user_id, date, name)
select e.user_id, e.date, e.name_after from events e where e.off_after
on conflict (user_id, date) do update set name = excluded.name;

-- name: ChangeByMutation :one
select id from plan_changes where user_id = @user_id and mutation_id = @mutation_id;

-- name: ChangeByID :one
select id, mutation_id, kind, first_day, last_day, undone_by from plan_changes where user_id = @user_id and id = @id;

-- The change of a week that an undo takes back, and the undo that a redo does:
-- the latter only while nothing else was changed since. 0: there is none. The
-- changes are found by their days: by their ids, a week without any would be
-- looked for among the changes of everybody.
-- name: ChangesNext :one
with standing as materialized (
    select c.id, c.kind from plan_changes c
    where c.user_id = @user_id and c.last_day >= sqlc.arg(first_day)::date and c.first_day <= sqlc.arg(last_day)::date
      and c.undone_by is null and c.kind not in ('redo', 'recurring')
)
select coalesce(u.id, 0)::bigint as undo, coalesce(u.kind, '')::text as undo_kind, coalesce(r.id, 0)::bigint as redo
from (select) one
left join lateral (select s.id, s.kind from standing s where s.kind <> 'undo' order by s.id desc limit 1) u on true
left join lateral (select s.id, s.kind from standing s order by s.id desc limit 1) r on r.kind = 'undo';

-- name: ChangeEvents :many
select e.project_id, e.task_id, e.date, e.minutes_before, e.note_before, e.minutes_after, e.note_after
from plan_events e
where e.user_id = @user_id and e.mutation_id = @mutation_id
order by e.id;

-- name: ChangeRows :many
select week, project_id, task_id, kept from row_events where user_id = @user_id and mutation_id = @mutation_id order by id;

-- name: ChangeDays :many
select date, off_before, off_after, name_before, name_after from day_events where user_id = @user_id and mutation_id = @mutation_id order by date;

-- A redo makes what its undo took back stand again.
-- name: ChangeTakeBack :exec
with undo as (
    update plan_changes c set undone_by = sqlc.arg(by)::bigint where c.user_id = @user_id and c.id = @id returning c.undoes
)
update plan_changes c set undone_by = null from undo where c.user_id = @user_id and c.id = undo.undoes;

-- What cells of a week were before the changes that came after one: the first
-- of these tells.
-- name: CellsBack :many
select distinct on (e.project_id, e.task_id, e.date) e.project_id, e.task_id, e.date, e.minutes_before, e.note_before
from plan_events e
join plan_changes c on c.user_id = e.user_id and c.mutation_id = e.mutation_id
where e.user_id = @user_id and e.date between sqlc.arg(first_day) and sqlc.arg(last_day) and c.id > @id
order by e.project_id, e.task_id, e.date, e.id;

-- name: RowsBack :many
select distinct on (r.project_id, r.task_id) r.week, r.project_id, r.task_id, (not r.kept)::boolean as kept
from row_events r
join plan_changes c on c.user_id = r.user_id and c.mutation_id = r.mutation_id
where r.user_id = @user_id and r.week between sqlc.arg(first_day) and sqlc.arg(last_day) and c.id > @id
order by r.project_id, r.task_id, r.id;

-- name: DaysBack :many
select distinct on (e.date) e.date, e.off_before, e.name_before
from day_events e
join plan_changes c on c.user_id = e.user_id and c.mutation_id = e.mutation_id
where e.user_id = @user_id and e.date between sqlc.arg(first_day) and sqlc.arg(last_day) and c.id > @id
order by e.date, e.id;
