-- +goose Up

-- A log-in at Harvest that is under way. It belongs to one user and one session
-- of theirs, and ends after minutes. What it must keep secret is sealed; see db/seal.go.
create table oauth_attempts (
    id           bigint generated always as identity primary key,
    user_id      bigint not null references users on delete cascade,
    session_hash bytea not null,                                          -- SHA-256
    state_hash   bytea unique,                                            -- SHA-256; null: back from Harvest, an account is to be chosen
    sealed       bytea not null,
    expires_at   timestamptz not null
);
create index oauth_attempts_user on oauth_attempts (user_id);
create index oauth_attempts_expires on oauth_attempts (expires_at);

-- Who renews the tokens of a connection, and until when; and when that may be
-- tried again after Harvest could not say yes or no.
alter table harvest_connections
    add column refresh_lease       uuid,
    add column refresh_lease_until timestamptz,
    add column refresh_not_before  timestamptz;
