-- What is measured of the whole program whenever somebody looks.

-- Writes that are not over, by state, and the age of the oldest in seconds.
-- name: FiguresWrites :many
select state, count(*) as writes, extract(epoch from clock_timestamp() - min(created_at))::float8 as oldest_seconds
from writes
where state in ('pending', 'sending', 'uncertain', 'retry', 'blocked', 'rejected', 'conflict')
group by state;

-- name: FiguresConnections :many
select state, count(*) as connections from harvest_connections group by state;
