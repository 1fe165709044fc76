-- +goose Up

-- Of an entry whose timer runs: when it was started, and the hours that were on
-- the entry before. hours are as of the sync.
alter table time_entries
    add column timer_started_at timestamptz,
    add column timer_before     int not null default 0;
create index time_entries_running on time_entries (user_id) where is_running;
create index writes_timers on writes (user_id) where op in ('start', 'stop')
    and state in ('pending', 'sending', 'uncertain', 'retry', 'blocked', 'rejected', 'conflict');

-- The timers of all users that run or are to run, those that are to stop, and
-- those of which Harvest refused that: entries that run, with the latest start or
-- stop of theirs if they are ours, and entries of ours that do not run of which
-- that one is not over. The owner's id finds them by the two indexes above.
create view timers as
select e.user_id, e.project_id, e.task_id, e.spent_date, e.harvest_id as remote_id, true as running, e.timer_started_at as started_at,
       e.timer_before as hours_before, e.hours as hours, p.id as pushed_entry_id,
       w.id as write_id, w.op, w.state, w.attempts, w.created_at, w.not_before, w.error_reason, w.error_status, w.error_message
from time_entries e
left join pushed_entries p on p.user_id = e.user_id and p.remote_id = e.harvest_id and p.removed_at is null and p.kind = 'timer'
left join lateral (
    select x.* from writes x where x.pushed_entry_id = p.id and x.op in ('start', 'stop') and x.state not in ('superseded', 'dropped') order by x.id desc limit 1
) w on true
where e.is_running and e.deleted_at is null
union all
select p.user_id, p.project_id, p.task_id, p.spent_date, p.remote_id, false, null, 0, 0, p.id,
       w.id, w.op, w.state, w.attempts, w.created_at, w.not_before, w.error_reason, w.error_status, w.error_message
from writes w
join pushed_entries p on p.id = w.pushed_entry_id and p.removed_at is null
where w.op in ('start', 'stop') and w.state in ('pending', 'sending', 'uncertain', 'retry', 'blocked', 'rejected', 'conflict')
  and not exists (select from writes l where l.pushed_entry_id = w.pushed_entry_id and l.id > w.id and l.op in ('start', 'stop')
      and l.state not in ('superseded', 'dropped'))
  and not exists (select from time_entries e where e.user_id = p.user_id and e.harvest_id = p.remote_id and e.is_running and e.deleted_at is null);

-- +goose Down
drop view timers;
drop index writes_timers;
drop index time_entries_running;
alter table time_entries
    drop column timer_started_at,
    drop column timer_before;
