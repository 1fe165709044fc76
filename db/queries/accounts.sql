-- What goes with a user, in numbers, and what is not in Harvest yet.
-- name: UserBelongings :one
select (select count(*) from cells c where c.user_id = u.id)::int as cells,
       (select count(*) from plan_changes p where p.user_id = u.id)::int as changes,
       (select count(*) from week_templates t where t.user_id = u.id)::int as templates,
       (select count(*) from recurrences r where r.user_id = u.id)::int as recurrences,
       (select count(*) from api_tokens t where t.user_id = u.id)::int as tokens,
       (select count(*) from writes w where w.user_id = u.id)::int as writes,
       (select count(*) from writes w where w.user_id = u.id and w.state not in ('done', 'superseded', 'dropped'))::int as unsent,
       (select count(*) from pushed_entries e where e.user_id = u.id and e.remote_id is not null and e.removed_at is null)::int as entries,
       coalesce((select c.company_name from harvest_connections c where c.user_id = u.id), '')::text as company_name,
       (u.role = 'admin' and not exists (select from users o where o.role = 'admin' and o.id <> u.id))::boolean as last_admin,
       u.email
from users u where u.id = @id;

-- The user, and all admins if that is one, so that of two who delete each other
-- one stays.
-- name: UsersLockToDelete :many
select u.id, u.email, u.role from users u
where u.id = @id or u.role = 'admin' and exists (select from users d where d.id = @id and d.role = 'admin')
order by u.id for update of u;

-- From here on nothing new is sent; what is being sent goes on. If the user is
-- not deleted after all, the next sync lets go of it.
-- name: ConnectionHoldOfUser :exec
update harvest_connections set held_since = clock_timestamp() where user_id = @user_id and held_since is null;

-- name: ConnectionLockToDelete :one
select id, coalesce(lease_until > clock_timestamp(), false)::boolean as sending from harvest_connections where user_id = @user_id for update;

-- name: WritesUnsent :one
select count(*)::int from writes where user_id = @user_id and state not in ('done', 'superseded', 'dropped');

-- Cells of templates have no owner of their own: they would still name projects
-- when those go.
-- name: TemplatesDelete :exec
delete from week_templates where user_id = @user_id;

-- name: UserDelete :execrows
delete from users where id = @id;

-- name: TimeEntriesDelete :exec
delete from time_entries where user_id = @user_id;

-- name: MailsDeleteTo :exec
delete from mails where lower(recipient) = @email;

-- name: AccountLinksDeleteTo :exec
delete from account_links where email = @email;

-- What somebody did stays, without who they were. pattern finds their address.
-- name: AuditForget :exec
update audit_events
set actor = case when actor_id = @id or actor = sqlc.arg(email)::text then @called else actor end,
    subject = regexp_replace(subject, sqlc.arg(pattern)::text, @called, 'gi'),
    detail = regexp_replace(detail::text, sqlc.arg(pattern)::text, @called, 'gi')::jsonb
where actor_id = @id or actor = sqlc.arg(email)::text or strpos(lower(subject), sqlc.arg(email)::text) > 0 or strpos(lower(detail::text), sqlc.arg(email)::text) > 0;

-- What somebody paused or forced stays so.
-- name: PausesForget :exec
with queues as (
    update queue_pauses
    set paused_by = regexp_replace(paused_by, sqlc.arg(pattern)::text, sqlc.arg(called)::text, 'gi'), reason = regexp_replace(reason, sqlc.arg(pattern)::text, sqlc.arg(called)::text, 'gi')
    where strpos(lower(paused_by || ' ' || reason), sqlc.arg(email)::text) > 0
), gates as (
    update api_gates
    set forced_by = regexp_replace(forced_by, sqlc.arg(pattern)::text, sqlc.arg(called)::text, 'gi'), forced_reason = regexp_replace(forced_reason, sqlc.arg(pattern)::text, sqlc.arg(called)::text, 'gi')
    where strpos(lower(forced_by || ' ' || forced_reason), sqlc.arg(email)::text) > 0
)
update harvest_connections
set paused_by = regexp_replace(paused_by, sqlc.arg(pattern)::text, sqlc.arg(called)::text, 'gi'), paused_reason = regexp_replace(paused_reason, sqlc.arg(pattern)::text, sqlc.arg(called)::text, 'gi')
where strpos(lower(paused_by || ' ' || paused_reason), sqlc.arg(email)::text) > 0;

-- What operators looked for, and why they gave writes of others up.
-- name: OrdersForget :exec
with orders as (
    update write_actions
    set search = regexp_replace(search::text, sqlc.arg(pattern)::text, sqlc.arg(called)::text, 'gi')::jsonb,
        note = left(regexp_replace(note, sqlc.arg(pattern)::text, sqlc.arg(called)::text, 'gi'), 500)
    where strpos(lower(search::text), sqlc.arg(email)::text) > 0 or strpos(lower(note), sqlc.arg(email)::text) > 0
)
update writes set operator_note = left(regexp_replace(operator_note, sqlc.arg(pattern)::text, sqlc.arg(called)::text, 'gi'), 500)
where operator_note <> '' and strpos(lower(operator_note), sqlc.arg(email)::text) > 0;
