-- +goose Up

-- The way from a click to a call: the request that asked for a write, and the job that made an attempt.
alter table writes add column request_id text not null default '';
alter table write_attempts add column job_id bigint;                      -- null: no job did, or one of a version before

-- +goose Down
alter table write_attempts drop column job_id;
alter table writes drop column request_id;
