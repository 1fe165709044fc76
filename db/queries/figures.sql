-- What is measured of the whole program whenever somebody looks.

-- Writes that are not over, by state, and the age of the oldest in seconds.
-- name: FiguresWrites :many
select state, count(*) as writes, extract(epoch from clock_timestamp() - min(created_at))::float8 as oldest_seconds
from writes
where state in ('pending', 'sending', 'uncertain', 'retry', 'blocked', 'rejected', 'conflict')
group by state;

-- name: FiguresConnections :many
select state, count(*) as connections from harvest_connections group by state;

-- The operators' open alerts by kind, which is how their keys begin.
-- name: FiguresAlerts :many
select split_part(key, ':', 1)::text as kind, count(*)::int as alerts from alerts
where user_id is null and opened_at is not null and resolved_at is null group by 1;
