-- +goose Up

-- Mails to be sent, and what became of them. What they say is sealed, and erased
-- once they are over.
create table mails (
    id          bigint generated always as identity primary key,
    message_id  uuid not null default gen_random_uuid(),              -- tells a mail that was sent twice
    recipient   text not null check (length(recipient) between 3 and 254),
    subject     text not null check (length(subject) between 1 and 200),
    sealed      bytea,                                                -- the text; see db/seal.go
    state       text not null default 'queued' check (state in ('queued', 'sending', 'sent', 'refused', 'given_up')),
    attempts    int not null default 0,
    error       text not null default '',                             -- of the latest attempt
    created_at  timestamptz not null default now(),
    sending_at  timestamptz,                                          -- when the latest attempt began
    ring_at     timestamptz not null default now() + interval '1 minute', -- when its job must have been lost
    finished_at timestamptz,
    check ((sealed is null) = (state in ('sent', 'refused', 'given_up')))
);
create index mails_unsent on mails (ring_at) where state in ('queued', 'sending');

-- What is to be posted to the operator's address, and what became of it.
create table webhooks (
    id          bigint generated always as identity primary key,
    message_id  uuid not null default gen_random_uuid(),              -- the same for every attempt
    body        text not null,
    state       text not null default 'queued' check (state in ('queued', 'sending', 'sent', 'given_up')),
    attempts    int not null default 0,
    error       text not null default '',
    created_at  timestamptz not null default now(),
    sending_at  timestamptz,
    ring_at     timestamptz not null default now() + interval '1 minute',
    finished_at timestamptz
);
create index webhooks_unsent on webhooks (ring_at) where state in ('queued', 'sending');

-- What is wrong, or was. A cause has one row that is not resolved, however often it is found.
create table alerts (
    id          bigint generated always as identity primary key,
    uid         uuid not null default gen_random_uuid(),              -- what receivers know it by
    key         text not null,                                        -- the cause, and what it is about
    severity    text not null check (severity in ('alert', 'information')),
    user_id     bigint references users on delete cascade,            -- whom it is told; null: the operators
    sentence    text not null,                                        -- what is wrong
    advice      text not null,                                        -- what to do about it
    path        text not null,                                        -- the page that shows it
    found_at    timestamptz not null default now(),
    seen_at     timestamptz not null default now(),                   -- when it was last found
    opened_at   timestamptz,                                          -- when it had lasted long enough; null: not yet
    told_at     timestamptz,                                          -- when the notice of it was enqueued
    resolved_at timestamptz,
    end_told_at timestamptz
);
create unique index alerts_open on alerts (key) where resolved_at is null;
create index alerts_untold on alerts (id) where opened_at is not null and (told_at is null or end_told_at is null);

-- What each process that runs, or ran, says of itself once a minute.
create table process_reports (
    process    text primary key,                                      -- a name for each start
    host       text not null,
    role       text not null check (role in ('all', 'web', 'worker')),
    facts      jsonb not null,                                        -- notice.Finding
    started_at timestamptz not null default now(),
    seen_at    timestamptz not null default now()
);

-- +goose Down
drop table process_reports;
drop table alerts;
drop table webhooks;
drop table mails;
