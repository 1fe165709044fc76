-- +goose Up

-- Links that work once: to join, and to choose a new password. Whoever uses one
-- has it alone, as it is deleted. What is asked for under an address that nobody
-- has is stored alike, so that asking tells nothing.
create table account_links (
    id         bigint generated always as identity primary key,
    purpose    text not null check (purpose in ('invite', 'reset')),
    email      text not null check (email = lower(email) and length(email) between 3 and 254),
    role       text check (role in ('user', 'viewer', 'operator', 'admin')), -- of the account to be made
    user_id    bigint references users on delete cascade,                    -- whose password it is; null: not looked up, or an invitation
    made_by    bigint references users on delete set null,                   -- who invites; null: the shell
    token_hash bytea unique,                                                 -- SHA-256; null: the link is not made yet
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    check ((purpose = 'invite') = (role is not null))
);
-- An invitation, or a reset, takes the place of an earlier one.
create unique index account_links_one on account_links (purpose, email);
create index account_links_user on account_links (user_id);
create index account_links_made_by on account_links (made_by);

-- When an account is deleted, each of its projects and tasks is looked for in
-- these, which hold those of everybody.
create index cells_project on cells (project_id);
create index cells_task on cells (task_id);
create index plan_events_project on plan_events (project_id);
create index plan_events_task on plan_events (task_id);
create index pushed_entries_project on pushed_entries (project_id);
create index pushed_entries_task on pushed_entries (task_id);

-- +goose Down
drop index cells_project, cells_task, plan_events_project, plan_events_task, pushed_entries_project, pushed_entries_task;
drop table account_links;
