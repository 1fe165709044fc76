-- +goose Up

-- What a person did to the plan in one go. What came of it lies in plan_events
-- and row_events, under its mutation id.
create table plan_changes (
    id          bigint generated always as identity primary key,
    user_id     bigint not null references users on delete cascade,
    mutation_id text not null check (length(mutation_id) between 8 and 64), -- one per form submission
    at          timestamptz not null default now(),
    kind        text not null,                                         -- planner.ChangeKind
    first_day   date not null,                                         -- of what it touched
    last_day    date not null,
    undoes      bigint references plan_changes on delete cascade,      -- what it took back: an undo a change, a redo an undo
    undone_by   bigint references plan_changes on delete set null,     -- what took it back
    unique (user_id, mutation_id),
    check (last_day >= first_day)
);
create index plan_changes_days on plan_changes (user_id, last_day, first_day);
create index plan_changes_standing on plan_changes (user_id, last_day, first_day) include (id, kind)
    where undone_by is null and kind not in ('redo', 'recurring');
create index plan_changes_undoes on plan_changes (undoes) where undoes is not null;
create index plan_changes_undone on plan_changes (undone_by) where undone_by is not null;

-- Rows that were put into a week or taken out of it, by a change.
create table row_events (
    id          bigint generated always as identity primary key,
    user_id     bigint not null references users on delete cascade,
    mutation_id text not null,
    week        date not null,                                         -- first day of the week, as in week_rows
    project_id  bigint not null references projects,
    task_id     bigint not null references tasks,
    kept        boolean not null,                                      -- put in, not taken out
    foreign key (user_id, mutation_id) references plan_changes (user_id, mutation_id) on delete cascade,
    unique (user_id, mutation_id, week, project_id, task_id)
);

insert into plan_changes (user_id, mutation_id, at, kind, first_day, last_day)
select user_id, mutation_id, min(at), min(kind), min(date), max(date) from plan_events
group by user_id, mutation_id
order by min(id);

-- +goose Down
drop table row_events;
drop table plan_changes;
