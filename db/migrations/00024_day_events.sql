-- +goose Up

-- Dates that were made days off or working days, by a change.
create table day_events (
    id          bigint generated always as identity primary key,
    user_id     bigint not null references users on delete cascade,
    mutation_id text not null,
    date        date not null,
    off_before  boolean not null,
    off_after   boolean not null,
    name_before text not null,                                         -- of the day off; empty for a working day
    name_after  text not null,
    foreign key (user_id, mutation_id) references plan_changes (user_id, mutation_id) on delete cascade,
    unique (user_id, mutation_id, date)
);
create index day_events_date on day_events (user_id, date);

-- +goose Down
drop table day_events;
