package dbtest

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ManyUsers is how many people [Many] makes: person1@example.org and so on.
const ManyUsers = 200

// Many fills a database with what many people leave behind in a year: so
// many writes with an attempt each, two of an entry, of which 999 in a thousand
// are done, and so many jobs, of which nearly all are completed. What is not
// done is among the newest for the most part, and in every state.
func Many(ctx context.Context, pool *pgxpool.Pool, writes, jobs int) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		for _, statement := range []string{
			fmt.Sprintf(`insert into users (email, password_hash) select 'person' || n || '@example.org', 'h' from generate_series(1, %d) n`, ManyUsers),
			// References between rows that are right by construction are not checked one by one.
			`set local session_replication_role = replica`,
			`insert into harvest_connections (user_id, state, credentials, harvest_account_id, harvest_user_id, company_name, harvest_user_name, base_uri,
			     week_start, time_zone, clock, duration_format, weekly_capacity, timestamp_timers, company_visible)
			 select id, case when id % 50 = 0 then 'needs_reauth' else 'ok' end, 'sealed', 1, id, 'Studio ' || id, 'Person ' || id, 'https://example.harvestapp.com',
			     1, 'UTC', '24h', 'decimal', 2100, false, true
			 from users where email like 'person%'`,
			`insert into clients (user_id, harvest_id, name) select c.user_id, n, 'Client ' || c.user_id || '.' || n from harvest_connections c, generate_series(1, 3) n where c.company_name like 'Studio %'`,
			`insert into projects (user_id, client_id, harvest_id, name) select user_id, id, harvest_id * 10 + n, 'Project ' || id || '.' || n from clients, generate_series(1, 3) n where name like 'Client %.%'`,
			`insert into tasks (user_id, harvest_id, name) select user_id, n, (array['Design', 'Development', 'Meetings', 'Research', 'Support'])[n] from harvest_connections, generate_series(1, 5) n where company_name like 'Studio %'`,
			`create temporary table person on commit drop as
			 select row_number() over (order by c.id) - 1 as n, c.user_id, c.id as connection_id,
			     (select array_agg(p.id order by p.id) from projects p where p.user_id = c.user_id) as projects,
			     (select array_agg(t.id order by t.id) from tasks t where t.user_id = c.user_id) as tasks
			 from harvest_connections c where c.company_name like 'Studio %'`,
			fmt.Sprintf(`create temporary table entry on commit drop as
			 select e.n, gen_random_uuid() as id, p.user_id, p.connection_id, p.projects[1 + e.n / 7 %% 9] as project_id, p.tasks[1 + e.n / 11 %% 5] as task_id,
			     date '2026-11-23' - (%d - e.n) * 365 / %[1]d as day
			 from generate_series(1, %[1]d) e(n) join person p on p.n = e.n * 7 %% %[2]d`, max(writes/2, 1), ManyUsers),
			`insert into pushed_entries (id, user_id, connection_id, project_id, task_id, spent_date, planned_minutes, planned_note, hours, notes, remote_id, kind)
			 select id, user_id, connection_id, project_id, task_id, day, 60, '', 100, '', 500000000 + n, 'timer' from entry order by n`,
			fmt.Sprintf(`insert into writes (user_id, connection_id, pushed_entry_id, op, reference, payload, remote_id, mutation_id, state, attempts, sent_at,
			     error_reason, error_status, error_message, created_at, finished_at)
			 select e.user_id, e.connection_id, e.id, case when w.n %% 997 = 0 then 'delete' when w.n %% 2 = 0 then 'create' else 'update' end, 'furrow:' || e.id || ':1',
			     jsonb_build_object('project_id', 1, 'task_id', 1, 'spent_date', e.day, 'hours', 100, 'notes', 'A note'), 500000000 + e.n, 'mutation ' || w.n, w.state, 1, w.at,
			     case when w.state in ('done', 'superseded', 'dropped') then '' when w.n %% 3 = 0 then 'invalid' else 'server' end,
			     case when w.state in ('done', 'superseded', 'dropped') then 0 when w.n %% 3 = 0 then 422 else 503 end,
			     case when w.state = 'rejected' then 'Project is archived' else '' end, w.at, case when w.state in ('pending', 'retry', 'blocked', 'uncertain') then null else w.at end
			 from (
			     select n, now() - make_interval(secs => (%d - n) * 30.0) as at, case
			         when n %% 1000 <> 0 and n < %[1]d - 20 then 'done'
			         else (array['rejected', 'retry', 'pending', 'superseded', 'blocked', 'conflict', 'uncertain', 'dropped'])[1 + n / 1000 %% 8] end as state
			     from generate_series(1, %[1]d) n
			 ) w join entry e on e.n = (w.n + 1) / 2
			 order by w.n`, writes),
			`insert into write_attempts (write_id, at, action, outcome, reason, status, latency_ms)
			 select id, created_at, 'send', case when error_reason = '' then 'applied' else 'refused' end, error_reason, error_status, 120 from writes order by id`,
			fmt.Sprintf(`insert into river_job (state, attempt, max_attempts, attempted_at, created_at, scheduled_at, finalized_at, kind, queue, args, errors)
			 select s.state::river_job_state, 1, 10, now(), at, at, case when s.state in ('completed', 'discarded', 'cancelled') then at end, k.kind, k.queue,
			     case when k.queue = 'push' then jsonb_build_object('connection_id', s.n %% %d) else jsonb_build_object('sync_run_id', s.n) end, '{}'
			 from (
			     select n, now() - make_interval(secs => (%[2]d - n) * 0.05) as at,
			         case when n %% 1000 <> 0 then 'completed' else (array['discarded', 'retryable', 'scheduled', 'cancelled'])[1 + n / 1000 %% 4] end as state
			     from generate_series(1, %[2]d) n
			 ) s cross join lateral (select case when s.n %% 5 = 0 then 'harvest_pull' else 'harvest_push' end as kind, case when s.n %% 5 = 0 then 'pull' else 'push' end as queue) k
			 order by s.n`, ManyUsers, jobs),
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return fmt.Errorf("%.60s: %w", statement, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("fill with many writes and jobs: %w", err)
	}
	if _, err := pool.Exec(ctx, "vacuum analyze"); err != nil {
		return fmt.Errorf("analyse: %w", err)
	}
	return nil
}
