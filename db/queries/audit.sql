-- name: AuditAdd :exec
insert into audit_events (actor_id, actor, action, subject, detail)
select u.id, u.email, @action, @subject, @detail from users u where u.id = @actor_id;

-- What the program does by itself.
-- name: AuditOwn :exec
insert into audit_events (actor, action, subject, detail) values ('furrow', @action, @subject, @detail);

-- name: AuditList :many
select id, at, actor, action, subject, detail from audit_events
where sqlc.narg(before)::bigint is null or id < sqlc.narg(before)::bigint
order by id desc
limit @most;
