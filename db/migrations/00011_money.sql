-- +goose Up

-- What the user wants to fit into each weekday, in minutes, Sunday first; -1 is
-- what Harvest says. And what they want to earn, in a currency per week or month.
alter table users
    add column capacity smallint[] not null default '{-1,-1,-1,-1,-1,-1,-1}'
        check (array_length(capacity, 1) = 7 and -1 <= all (capacity) and 1440 >= all (capacity)),
    add column goal          numeric(12, 2) check (goal > 0),
    add column goal_currency text,
    add column goal_every    text check (goal_every in ('week', 'month')),
    add check (num_nulls(goal, goal_currency, goal_every) in (0, 3));

create table days_off (
    user_id bigint not null references users on delete cascade,
    date    date not null,
    name    text not null default '' check (length(name) <= 100),
    primary key (user_id, date)
);

-- The user's own rates per hour, which go before Harvest's; that of a task goes
-- before that of its project, which has no task.
create table rate_overrides (
    user_id    bigint not null references users on delete cascade,
    project_id bigint not null references projects on delete cascade,
    task_id    bigint references tasks on delete cascade,
    rate       numeric(12, 2) not null check (rate >= 0)
);
create unique index rate_overrides_row on rate_overrides (user_id, project_id, coalesce(task_id, 0));

-- +goose Down
drop table rate_overrides;
drop table days_off;
alter table users
    drop column capacity,
    drop column goal,
    drop column goal_currency,
    drop column goal_every;
