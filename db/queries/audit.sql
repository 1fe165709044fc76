-- name: AuditAdd :exec
insert into audit_events (actor_id, actor, action, subject, detail)
select u.id, u.email, @action, @subject, @detail from users u where u.id = @actor_id;

-- What the program does by itself.
-- name: AuditOwn :exec
insert into audit_events (actor, action, subject, detail) values ('furrow', @action, @subject, @detail);

-- By time, not by id alone: so a range of days is found without what came later.
-- name: AuditList :many
select id, at, actor, action, subject, detail from audit_events
where (sqlc.narg(actor)::text is null or actor = sqlc.narg(actor)::text)
  and (sqlc.narg(action)::text is null or action = sqlc.narg(action)::text)
  and (sqlc.narg(subject)::text is null or subject = sqlc.narg(subject)::text)
  and (sqlc.narg(since)::timestamptz is null or at >= sqlc.narg(since)::timestamptz)
  and (sqlc.narg(until)::timestamptz is null or at < sqlc.narg(until)::timestamptz)
  and (sqlc.narg(before_at)::timestamptz is null or (at, id) < (sqlc.narg(before_at)::timestamptz, sqlc.arg(before_id)::bigint))
order by at desc, id desc
limit @most;
