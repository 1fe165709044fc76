-- +goose Up

-- When an entry starts and ends, in minutes after midnight of the user's day, in
-- accounts that track times; null: Harvest did not say. One that ends before it
-- starts goes on after midnight.
alter table time_entries
    add column started_minute smallint check (started_minute between 0 and 1439),
    add column ended_minute   smallint check (ended_minute between 0 and 1439);

-- Something that was sent by the settings of the account was refused, so they are
-- read again before they are old.
alter table harvest_connections add column account_stale boolean not null default false;

-- +goose Down
alter table harvest_connections drop column account_stale;
alter table time_entries
    drop column started_minute,
    drop column ended_minute;
