-- +goose Up

-- People who may log in.
create table users (
    id              bigint generated always as identity primary key,
    email           text not null check (email = lower(email) and length(email) between 3 and 254),
    password_hash   text not null,
    is_admin        boolean not null default false,
    -- Overrides of what the Harvest account says; null follows Harvest, then the default.
    week_start      smallint check (week_start between 0 and 6),          -- 0 is Sunday
    time_zone       text,                                                 -- IANA name
    duration_format text check (duration_format in ('hours_minutes', 'decimal')),
    created_at      timestamptz not null default now(),
    unique (email)
);

create table sessions (
    token_hash text primary key,
    user_id    bigint references users on delete cascade,                 -- null until login
    data       bytea not null,
    expires_at timestamptz not null
);
create index sessions_expires on sessions (expires_at);
create index sessions_user on sessions (user_id);

-- One row per throttled account ("account:…") or address ("address:…").
create table login_throttles (
    subject      text primary key,
    failures     int not null default 0,
    window_start timestamptz not null default now(),
    locked_until timestamptz not null default '-infinity'
);

create table api_tokens (
    id           bigint generated always as identity primary key,
    user_id      bigint not null references users on delete cascade,
    name         text not null check (length(name) between 1 and 100),
    token_hash   bytea not null unique,
    created_at   timestamptz not null default now(),
    last_used_at timestamptz
);
create index api_tokens_user on api_tokens (user_id);

-- A user's access to one Harvest account. Disconnecting keeps the row, so that
-- the ledger stays readable, and erases the credentials.
create table harvest_connections (
    id                   bigint generated always as identity primary key,
    user_id              bigint not null unique references users on delete cascade,
    state                text not null default 'ok' check (state in ('ok', 'needs_reauth', 'disconnected')),
    credentials          bytea,                                           -- sealed; see db/seal.go
    harvest_account_id   bigint not null,
    harvest_user_id      bigint not null,
    company_name         text not null,
    harvest_user_name    text not null,
    base_uri             text not null,
    week_start           smallint not null check (week_start between 0 and 6),
    time_zone            text not null,                                   -- IANA name
    clock                text not null check (clock in ('12h', '24h')),
    duration_format      text not null check (duration_format in ('hours_minutes', 'decimal')),
    weekly_capacity      int not null check (weekly_capacity >= 0),       -- minutes
    timestamp_timers     boolean not null,
    company_visible      boolean not null,
    connected_at         timestamptz not null default now(),
    -- The pull: highest updated_at seen in Harvest, and when a pull last ended well.
    entries_cursor       timestamptz,
    pulled_at            timestamptz,
    assignments_at       timestamptz,
    -- The drain: who may send for this connection, and until when.
    lease                uuid,
    lease_until          timestamptz,
    check ((state = 'disconnected') = (credentials is null))
);

-- Clients, projects and tasks have ids of our own. harvest_id is Harvest's.
create table clients (
    id         bigint generated always as identity primary key,
    user_id    bigint not null references users on delete cascade,
    harvest_id bigint,
    name       text not null,
    currency   text not null default '',
    unique (user_id, harvest_id)
);

create table projects (
    id         bigint generated always as identity primary key,
    user_id    bigint not null references users on delete cascade,
    client_id  bigint not null references clients,
    harvest_id bigint,
    name       text not null,
    code       text not null default '',
    unique (user_id, harvest_id)
);

create table tasks (
    id         bigint generated always as identity primary key,
    user_id    bigint not null references users on delete cascade,
    harvest_id bigint,
    name       text not null,
    unique (user_id, harvest_id)
);

-- What the user may log time on. Gone ones are kept, not active.
create table assignments (
    user_id     bigint not null references users on delete cascade,
    project_id  bigint not null references projects on delete cascade,
    task_id     bigint not null references tasks on delete cascade,
    active      boolean not null default true,
    billable    boolean not null default true,
    hourly_rate numeric(12, 2),                                           -- in the client's currency; null: unknown
    primary key (user_id, project_id, task_id)
);

-- The mirror of Harvest's time entries. Deleted ones are kept, marked. There are
-- no foreign keys: the merge takes user, project and task from the tables that
-- they name, and checking each row again takes longer than storing it.
create table time_entries (
    user_id         bigint not null,
    harvest_id      bigint not null,
    project_id      bigint not null,
    task_id         bigint not null,
    spent_date      date not null,
    hours           int not null,                                         -- hundredths of an hour
    notes           text not null default '',
    is_locked       boolean not null default false,
    locked_reason   text not null default '',
    approval_status text not null default '',
    is_billed       boolean not null default false,
    is_running      boolean not null default false,
    billable        boolean not null default false,
    reference_id    text not null default '',                             -- external reference, if it is ours
    created_at      timestamptz not null,                                 -- Harvest's
    updated_at      timestamptz not null,                                 -- Harvest's
    deleted_at      timestamptz,                                          -- when we learned of it
    primary key (user_id, harvest_id)
);
create index time_entries_date on time_entries (user_id, spent_date);
-- +goose StatementBegin
create function forget_time_entries() returns trigger language plpgsql as $$
begin
    delete from time_entries where user_id = old.id;
    return null;
end $$;
-- +goose StatementEnd
create trigger forget_time_entries after delete on users for each row execute function forget_time_entries();
create index time_entries_reference on time_entries (user_id, reference_id) where reference_id <> '';

-- The plan as it stands. A cell without time and note has no row.
create table cells (
    user_id    bigint not null references users on delete cascade,
    project_id bigint not null references projects,
    task_id    bigint not null references tasks,
    date       date not null,
    minutes    int not null check (minutes between 0 and 1440),
    note       text not null default '' check (length(note) <= 2000),
    version    bigint not null,                                           -- plan_events.id that wrote it
    primary key (user_id, date, project_id, task_id),
    check (minutes > 0 or note <> '')
);

-- Every change of the plan, for ever: undo, baseline and history read it.
create table plan_events (
    id             bigint generated always as identity primary key,
    user_id        bigint not null references users on delete cascade,
    at             timestamptz not null default now(),
    kind           text not null,                                         -- 'edit' for now
    mutation_id    text not null check (length(mutation_id) between 8 and 64), -- one per form submission
    project_id     bigint not null references projects,
    task_id        bigint not null references tasks,
    date           date not null,
    minutes_before int not null,
    minutes_after  int not null,
    note_before    text not null,
    note_after     text not null,
    unique (user_id, mutation_id, project_id, task_id, date)
);
create index plan_events_cell on plan_events (user_id, date, id);

-- Rows that the user put into a week, shown even while they are empty.
create table week_rows (
    user_id    bigint not null references users on delete cascade,
    week       date not null,                                             -- first day of the week when it was added
    project_id bigint not null references projects,
    task_id    bigint not null references tasks,
    added_at   timestamptz not null default now(),
    primary key (user_id, week, project_id, task_id)
);

-- A time entry of ours: what it is meant to say, and what was last agreed on.
create table pushed_entries (
    id                uuid primary key default gen_random_uuid(),
    user_id           bigint not null references users on delete cascade,
    connection_id     bigint not null references harvest_connections on delete cascade,
    project_id        bigint not null references projects,
    task_id           bigint not null references tasks,
    spent_date        date not null,
    generation        int not null default 1,       -- part of the reference; +1 for each deliberate re-creation
    planned_minutes   int not null,                 -- the cell's plan when it was last pushed
    planned_note      text not null,
    hours             int not null,                 -- meant, hundredths of an hour
    notes             text not null,
    remote_id         bigint,                       -- Harvest's id, once known
    agreed_hours      int,                          -- as Harvest last confirmed it to us
    agreed_notes      text,
    agreed_updated_at timestamptz,
    removed_at        timestamptz,                  -- our delete was confirmed, or it never came to be
    unique (user_id, remote_id)
);
create unique index pushed_entries_cell on pushed_entries (user_id, spent_date, project_id, task_id) where removed_at is null;

-- The ledger. A row is one intended change in Harvest; River only rings the bell.
create table writes (
    id              bigint generated always as identity primary key,
    user_id         bigint not null references users on delete cascade,
    connection_id   bigint not null references harvest_connections on delete cascade,
    pushed_entry_id uuid not null references pushed_entries on delete cascade,
    op              text not null check (op in ('create', 'update', 'delete')),
    reference       text not null,
    payload         jsonb not null,                                       -- ledger.Entry
    remote_id       bigint,                                               -- what update and delete aim at; what create made
    mutation_id     text not null check (length(mutation_id) between 8 and 64), -- one per submitted push
    state           text not null default 'pending' check (state in
        ('pending', 'sending', 'uncertain', 'retry', 'blocked', 'done', 'rejected', 'conflict', 'superseded', 'dropped')),
    attempts        int not null default 0,                               -- sendings
    failures        int not null default 0,                               -- failed attempts of any kind, for the back-off
    lookups         int not null default 0,                               -- look-ups since the last sending that found nothing
    sent_at         timestamptz,
    not_before      timestamptz not null default now(),
    error_reason    text not null default '',                             -- ledger.Reason or ledger.WaitReason
    error_status    int not null default 0,                               -- HTTP status of the latest failure
    error_message   text not null default '',                             -- Harvest's own words
    created_at      timestamptz not null default now(),
    finished_at     timestamptz,
    unique (pushed_entry_id, mutation_id),
    check (op = 'create' or remote_id is not null)
);
create index writes_due on writes (connection_id, not_before, id) where state in ('pending', 'sending', 'uncertain', 'retry');
create index writes_user on writes (user_id, id desc);
create index writes_state on writes (state, id desc);
create unique index writes_in_flight on writes (pushed_entry_id) where state in ('sending', 'uncertain');

create table write_attempts (
    id         bigint generated always as identity primary key,
    write_id   bigint not null references writes on delete cascade,
    at         timestamptz not null default now(),
    action     text not null,                                             -- 'send', 'look', 'retry' (by a person)
    outcome    text not null,                                             -- 'applied', 'found', 'absent', 'wait', or ledger.Class
    reason     text not null default '',
    status     int not null default 0,
    request_id text not null default '',
    message    text not null default '',                                  -- Harvest's own words, at most 500 bytes
    latency_ms int not null default 0
);
create index write_attempts_write on write_attempts (write_id, id);

create table sync_runs (
    id            bigint generated always as identity primary key,
    user_id       bigint not null references users on delete cascade,
    connection_id bigint not null references harvest_connections on delete cascade,
    trigger       text not null check (trigger in ('connect', 'user', 'api', 'schedule')),
    state         text not null default 'queued' check (state in ('queued', 'running', 'waiting', 'done', 'failed')),
    week          date,                                                   -- first day of the week it was asked for, if any
    phase         text not null default 'queued',                         -- queued, assignments, entries, window, done
    page          int not null default 0,                                 -- pages stored
    pages         int not null default 0,                                 -- as Harvest tells it; 0: unknown
    entries       int not null default 0,                                 -- entries read
    changed       int not null default 0,                                 -- of these, new or different
    removed       int not null default 0,                                 -- found to be gone from Harvest
    resume        text not null default '',                               -- where the listing of the phase goes on
    updated_since timestamptz,                                            -- null: by spent date from year_from on
    year_from     date,
    cursor_seen   timestamptz,                                            -- highest updated_at met in this run
    next_try_at   timestamptz,
    error_reason  text not null default '',
    error_status  int not null default 0,
    error_message text not null default '',
    created_at    timestamptz not null default now(),
    started_at    timestamptz,
    finished_at   timestamptz
);
create unique index sync_runs_live on sync_runs (connection_id) where state in ('queued', 'running', 'waiting');
create index sync_runs_user on sync_runs (user_id, id desc);

-- Limits and breakers, shared by all processes. See db/gate.go.
create table api_gates (
    scope          text primary key,
    step           interval not null,                                     -- time that one call costs
    burst          int not null,
    tat            timestamptz not null default '-infinity',              -- theoretical arrival time of the next call
    blocked_until  timestamptz not null default '-infinity',
    cb_state       smallint not null default 0,                           -- 0 closed, 1 open, 2 probing
    cb_failures    int not null default 0,
    cb_trips       int not null default 0,
    cb_epoch       bigint not null default 0,
    cb_open_until  timestamptz not null default '-infinity',
    cb_probe_until timestamptz not null default '-infinity'
) with (fillfactor = 50);

create table audit_events (
    id       bigint generated always as identity primary key,
    at       timestamptz not null default now(),
    actor_id bigint references users on delete set null,
    actor    text not null,                                               -- e-mail at the time
    action   text not null,
    subject  text not null,
    detail   jsonb not null default '{}'
);

-- +goose Down
drop table audit_events, api_gates, sync_runs, write_attempts, writes, pushed_entries, week_rows, plan_events, cells,
    time_entries, assignments, tasks, projects, clients, harvest_connections, api_tokens, login_throttles, sessions, users;
drop function forget_time_entries;
