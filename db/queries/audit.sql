-- name: AuditAdd :exec
insert into audit_events (actor_id, actor, action, subject, detail)
select u.id, u.email, @action, @subject, @detail from users u where u.id = @actor_id;

-- name: AuditList :many
select id, at, actor, action, subject, detail from audit_events
where sqlc.narg(before)::bigint is null or id < sqlc.narg(before)::bigint
order by id desc
limit @most;
