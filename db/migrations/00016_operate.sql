-- +goose Up

-- Until when an operator has nothing exchanged for a connection, why, and who it
-- was (e-mail at the time). A pause ends by itself: one that is over counts for nothing.
alter table harvest_connections
    add column paused_until  timestamptz,
    add column paused_reason text not null default '',
    add column paused_by     text not null default '';

-- What River's pause of a queue does not know. Whichever process sweeps first
-- after the time lets the queue go on.
create table queue_pauses (
    queue        text primary key,
    paused_at    timestamptz not null default now(),
    paused_until timestamptz not null,
    reason       text not null,
    paused_by    text not null
);

-- Until when an operator keeps a breaker open, why, and who it was. It is their
-- doing for as long as forced_until is cb_open_until.
alter table api_gates
    add column forced_until  timestamptz not null default '-infinity',
    add column forced_reason text not null default '',
    add column forced_by     text not null default '';

-- What runs by itself, and how it went last in whichever process it was.
create table schedules (
    name       text primary key,
    every      interval not null,
    started_at timestamptz not null,
    ended_at   timestamptz not null,
    ended_well timestamptz,                                              -- the last time that it did
    failures   int not null default 0,                                   -- in a row
    error      text not null default ''                                  -- of the last time; empty: none
) with (fillfactor = 50);

-- Every five minutes, for the charts: what was tried at Harvest and how it went,
-- and how long the oldest write had waited that could have been sent.
create table samples (
    at             timestamptz primary key,                              -- when the five minutes began
    attempts       int not null default 0,
    p95_ms         int not null default 0,
    errors         jsonb not null default '{}',                          -- how many of each outcome that is not good
    oldest_seconds int not null default 0                                -- the longest in the five minutes
) with (fillfactor = 50);
create index write_attempts_at on write_attempts (at);

-- What of a connection is not over, the oldest first.
create index writes_unsent on writes (connection_id, created_at) include (state)
    where state in ('pending', 'sending', 'uncertain', 'retry', 'blocked');

create index audit_events_at on audit_events (at, id);
create index audit_events_actor on audit_events (actor, at, id);
create index audit_events_action on audit_events (action, at, id);
create index audit_events_subject on audit_events (subject, at, id);
create index audit_events_actor_action on audit_events (actor, action, at, id);

-- +goose Down
drop index audit_events_at, audit_events_actor, audit_events_action, audit_events_subject, audit_events_actor_action, writes_unsent, write_attempts_at;
drop table samples, schedules, queue_pauses;
alter table api_gates drop column forced_until, drop column forced_reason, drop column forced_by;
alter table harvest_connections drop column paused_until, drop column paused_reason, drop column paused_by;
