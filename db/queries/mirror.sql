-- The mirror of Harvest. Entries arrive by COPY; see mirror.go.

-- name: ClientSave :one
insert into clients (user_id, harvest_id, name, currency) values (@user_id, @harvest_id, @name, @currency)
on conflict (user_id, harvest_id) do update
set name = excluded.name, currency = case when excluded.currency = '' then clients.currency else excluded.currency end
returning id;

-- name: ProjectSave :one
insert into projects (user_id, client_id, harvest_id, name, code) values (@user_id, @client_id, @harvest_id, @name, @code)
on conflict (user_id, harvest_id) do update set client_id = excluded.client_id, name = excluded.name, code = excluded.code
returning id;

-- name: TaskSave :one
insert into tasks (user_id, harvest_id, name) values (@user_id, @harvest_id, @name)
on conflict (user_id, harvest_id) do update set name = excluded.name
returning id;

-- name: AssignmentSave :exec
insert into assignments (user_id, project_id, task_id, active, billable, hourly_rate)
values (@user_id, @project_id, @task_id, true, @billable, sqlc.narg(hourly_rate)::text::numeric)
on conflict (user_id, project_id, task_id) do update
set active = true, billable = excluded.billable, hourly_rate = excluded.hourly_rate;

-- name: AssignmentsRetire :exec
update assignments set active = false where user_id = @user_id and active;

-- name: ConnectionAssignmentsRead :exec
update harvest_connections set assignments_at = clock_timestamp() where user_id = @user_id;

-- name: EntriesKnown :many
select harvest_id from time_entries
where user_id = @user_id and spent_date between @first_day and @last_day and deleted_at is null;

-- name: EntriesMarkGone :execrows
update time_entries set deleted_at = clock_timestamp()
where user_id = @user_id and harvest_id = any(@ids::bigint[]) and deleted_at is null;
