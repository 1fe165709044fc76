-- +goose Up

-- A change that waits behind another one of its entry learns what it aims at
-- when that one is over, so remote_id may be unknown.
alter table writes drop constraint writes_check;
alter table writes drop constraint writes_op_check;
alter table writes add constraint writes_op_check
    check (op in ('create', 'update', 'delete', 'start', 'stop', 'adopt', 'remove_double'));

-- What a change starts from, if that is not what was agreed on for its entry: a
-- change made in Harvest that a person chose to go over (ledger.Base). And what
-- Harvest had just before the write was sent, and when it was last seen after
-- that (ledger.Entry); null: nothing, or not known.
alter table writes
    add column base          jsonb,
    add column remote_before jsonb,
    add column remote_after  jsonb;

-- A cell has one entry that says what is planned, and any number that timers made.
alter table pushed_entries add column kind text not null default 'plan' check (kind in ('plan', 'timer'));
drop index pushed_entries_cell;
create unique index pushed_entries_cell on pushed_entries (user_id, spent_date, project_id, task_id)
    where removed_at is null and kind = 'plan';
create index pushed_entries_date on pushed_entries (user_id, spent_date) where removed_at is null;
-- What was taken out of our hands may be adopted again.
alter table pushed_entries drop constraint pushed_entries_user_id_remote_id_key;
create unique index pushed_entries_remote on pushed_entries (user_id, remote_id) where removed_at is null;

-- +goose Down
drop index pushed_entries_remote;
update pushed_entries set remote_id = null where removed_at is not null;
alter table pushed_entries add constraint pushed_entries_user_id_remote_id_key unique (user_id, remote_id);
drop index pushed_entries_date;
delete from pushed_entries where kind <> 'plan';
drop index pushed_entries_cell;
create unique index pushed_entries_cell on pushed_entries (user_id, spent_date, project_id, task_id) where removed_at is null;
alter table pushed_entries drop column kind;
alter table writes drop column base, drop column remote_before, drop column remote_after;
delete from writes where op not in ('create', 'update', 'delete') or (op <> 'create' and remote_id is null);
alter table writes drop constraint writes_op_check;
alter table writes add constraint writes_op_check check (op in ('create', 'update', 'delete'));
alter table writes add constraint writes_check check (op = 'create' or remote_id is not null);
