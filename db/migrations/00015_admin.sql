-- +goose Up

-- The searches of the admin pages: each filter with its state is answered by one
-- index, in the order of ids, so that a page reads no more than it shows. All
-- columns go the same way, so that a pair of state and id is one place in it. What
-- is rare has rare entries: of the writes that are done hardly any has a reason.
drop index writes_state, writes_user_state;
create index writes_state on writes (state, id);
create index writes_user_state on writes (user_id, state, id);
create index writes_reason on writes (error_reason, state, id) where error_reason <> '';
create index writes_status on writes (error_status, state, id) where error_status <> 0;
create index writes_rare_op on writes (op, state, id) where op not in ('create', 'update');
create index writes_remote on writes (remote_id) where remote_id is not null;
create index writes_created on writes (created_at);
-- The same for jobs. Nothing of the queue's own relies on it.
create index river_job_admin on river_job (kind, state, id);

-- Why an operator gave a write up; its owner reads it.
alter table writes add column operator_note text not null default '' check (length(operator_note) <= 500);

-- What an operator does to all writes that match a search, batch by batch.
create table write_actions (
    id          bigint generated always as identity primary key,
    mutation_id text not null unique check (length(mutation_id) between 8 and 64), -- one per confirmed preview
    actor_id    bigint references users on delete set null,
    action      text not null check (action in ('retry', 'look', 'cancel', 'resolve', 'drop')),
    search      jsonb not null,                                           -- db.WriteSearch
    note        text not null default '' check (length(note) <= 500),
    up_to       bigint not null,                                          -- highest id when it was previewed
    previewed   bigint not null,                                          -- how many could be acted on then
    done_to     bigint not null default 0,                                -- ids up to here are through
    changed     bigint not null default 0,
    skipped     bigint not null default 0,
    created_at  timestamptz not null default now(),
    finished_at timestamptz
);
create index write_actions_open on write_actions (id) where finished_at is null;
create table write_action_batches (
    action_id bigint not null references write_actions on delete cascade,
    number    int not null,
    last_id   bigint not null,                                            -- ids up to here, from the batch before on
    changed   int not null,
    skipped   jsonb not null default '{}',                                -- how many, by why
    at        timestamptz not null default now(),
    primary key (action_id, number)
);

-- +goose Down
drop table write_action_batches, write_actions;
alter table writes drop column operator_note;
drop index river_job_admin;
drop index writes_created, writes_remote, writes_rare_op, writes_status, writes_reason, writes_state, writes_user_state;
create index writes_state on writes (state, id desc);
create index writes_user_state on writes (user_id, state, id desc);
