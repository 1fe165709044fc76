-- +goose Up

-- Weeks under a name, to fill other weeks from.
create table week_templates (
    id         bigint generated always as identity primary key,
    user_id    bigint not null references users on delete cascade,
    name       text not null check (length(name) between 1 and 100),
    created_at timestamptz not null default now(),
    unique (user_id, name)
);

-- A row of which nothing is planned has one cell without time and note.
create table template_cells (
    template_id bigint not null references week_templates on delete cascade,
    project_id  bigint not null references projects,
    task_id     bigint not null references tasks,
    weekday     smallint not null check (weekday between 0 and 6),     -- Sunday is 0
    minutes     int not null check (minutes between 0 and 1440),
    note        text not null default '' check (length(note) <= 2000),
    primary key (template_id, project_id, task_id, weekday)
);

-- Work that comes again every week. What came of it lies in the plan: changes of
-- the kind 'recurring', whose mutation ids name the recurrence.
create table recurrences (
    id          bigint generated always as identity primary key,
    user_id     bigint not null references users on delete cascade,
    mutation_id text not null check (length(mutation_id) between 8 and 64), -- of the form that made it
    project_id  bigint not null references projects,
    task_id     bigint not null references tasks,
    weekdays    smallint not null check (weekdays between 1 and 127),  -- a bit for each, Sunday's is 1
    minutes     int not null check (minutes between 1 and 1440),
    note        text not null default '' check (length(note) <= 2000),
    starts_on   date not null,
    ends_on     date check (ends_on >= starts_on),                     -- the last day; null: it goes on
    filled_to   date not null,                                         -- up to here its cells were filled
    created_at  timestamptz not null default now(),
    unique (user_id, mutation_id)
);
create index recurrences_short on recurrences (filled_to, user_id);

-- Weeks in which nobody wants to hear of what the week before left unfinished.
create table carry_dismissals (
    user_id bigint not null references users on delete cascade,
    week    date not null,                                             -- first day of the week
    primary key (user_id, week)
);

-- +goose Down
drop table carry_dismissals;
drop table recurrences;
drop table template_cells;
drop table week_templates;
