-- +goose Up

-- What the list of one's sessions tells, and when somebody last proved who they
-- are. What a program of before this version adds begins with a log-in, too.
alter table sessions
    add column id               bigint not null generated always as identity unique,
    add column created_at       timestamptz not null default now(),
    add column seen_at          timestamptz not null default now(),                 -- to a few minutes
    add column authenticated_at timestamptz not null default now(),
    add column awaits_code      boolean not null default false,                     -- its user gave the password, and no code yet
    add column address          text not null default '' check (length(address) <= 64),
    add column agent            text not null default '' check (length(agent) <= 200);
-- Nobody knows how old those are that there are.
update sessions set created_at = now() - interval '1 hour', authenticated_at = now() - interval '1 hour';

-- A secret that its user's app for one-time codes has as well.
create table second_factors (
    user_id      bigint primary key references users on delete cascade,
    sealed       bytea not null,
    confirmed_at timestamptz,               -- null: no code of it was shown yet, so it is not asked for
    last_step    bigint not null default 0  -- the 30 seconds since 1970 of the last code taken: each is taken once
);

create table recovery_codes (
    user_id   bigint not null references second_factors on delete cascade,
    code_hash bytea not null,
    used_at   timestamptz,
    primary key (user_id, code_hash)
);

-- +goose Down
drop table recovery_codes;
drop table second_factors;
delete from sessions where awaits_code;
alter table sessions drop column id, drop column created_at, drop column seen_at, drop column authenticated_at,
    drop column awaits_code, drop column address, drop column agent;
