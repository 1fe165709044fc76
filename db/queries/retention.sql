-- What is too old to be kept, a small part at a time. Others may do the same at the
-- same time: what one of them is at is skipped.

-- Of an entry, every write may go that a later one which is done has replaced,
-- unless something of the entry is open. What is left decides all that is shown
-- of a week and all that a drain does: see TestRetentionShowsTheSame. A removed
-- double is remembered for ever, so that it is removed once. The writes are gone
-- through by id, from after on.
-- name: WritesClean :one
with part as materialized (
    select w.id, w.pushed_entry_id, w.op, w.state, w.finished_at
    from writes w
    where w.id > @after and w.created_at < clock_timestamp() - sqlc.arg(age)::interval
    order by w.id limit @most
), old as (
    select p.id from part p
    where p.finished_at < clock_timestamp() - sqlc.arg(age)::interval and p.state in ('done', 'superseded', 'dropped') and p.op <> 'remove_double'
      and exists (select from writes l where l.pushed_entry_id = p.pushed_entry_id and l.id > p.id and l.state = 'done' and l.op <> 'remove_double'
          and (p.op not in ('start', 'stop') or l.op in ('start', 'stop')))
      and not exists (select from writes u where u.pushed_entry_id = p.pushed_entry_id and u.state not in ('done', 'superseded', 'dropped'))
), gone as (
    delete from writes where id in (select w.id from writes w join old o on o.id = w.id for update of w skip locked)
    returning id
)
select coalesce((select max(id) from part), 0)::bigint as last, (select count(*) from part)::int as seen, (select count(*) from gone)::int as gone;

-- name: AttemptsClean :execrows
delete from write_attempts where id in (
    select a.id from write_attempts a join writes w on w.id = a.write_id
    where a.at < clock_timestamp() - sqlc.arg(age)::interval and w.state in ('done', 'superseded', 'dropped')
    order by a.at limit @most for update of a skip locked
);

-- name: AuditClean :execrows
delete from audit_events where id in (
    select e.id from audit_events e where e.at < clock_timestamp() - sqlc.arg(age)::interval order by e.at limit @most for update skip locked
);

-- Orders over many writes lose their batches first, of which there may be many.
-- name: WriteActionBatchesClean :execrows
delete from write_action_batches where (action_id, number) in (
    select b.action_id, b.number from write_action_batches b join write_actions a on a.id = b.action_id
    where a.finished_at < clock_timestamp() - sqlc.arg(age)::interval
    order by b.action_id, b.number limit @most for update of b skip locked
);

-- name: WriteActionsClean :execrows
delete from write_actions where id in (
    select a.id from write_actions a
    where a.finished_at < clock_timestamp() - sqlc.arg(age)::interval and not exists (select from write_action_batches b where b.action_id = a.id)
    order by a.id limit @most for update skip locked
);

-- The latest run of a user is what is shown of their syncs.
-- name: SyncRunsClean :execrows
delete from sync_runs where id in (
    select r.id from sync_runs r
    where r.finished_at < clock_timestamp() - sqlc.arg(age)::interval and exists (select from sync_runs l where l.user_id = r.user_id and l.id > r.id)
    order by r.id limit @most for update skip locked
);

-- name: AlertsClean :execrows
delete from alerts where id in (
    select a.id from alerts a where a.resolved_at < clock_timestamp() - sqlc.arg(age)::interval order by a.id limit @most for update skip locked
);

-- name: MailsClean :execrows
delete from mails where id in (
    select m.id from mails m where m.finished_at < clock_timestamp() - sqlc.arg(age)::interval order by m.id limit @most for update skip locked
);

-- name: WebhooksClean :execrows
delete from webhooks where id in (
    select w.id from webhooks w where w.finished_at < clock_timestamp() - sqlc.arg(age)::interval order by w.id limit @most for update skip locked
);
