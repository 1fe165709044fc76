-- +goose Up

-- One's ledger by state, newest first, and how many of each state there are.
create index writes_user_state on writes (user_id, state, id desc);
-- What was pushed to a week, and which projects anything was pushed to: of
-- removed entries too, so that the index of the others is not needed any more.
create index pushed_entries_week on pushed_entries (user_id, spent_date, project_id);
drop index pushed_entries_date;

-- +goose Down
create index pushed_entries_date on pushed_entries (user_id, spent_date) where removed_at is null;
drop index writes_user_state, pushed_entries_week;
