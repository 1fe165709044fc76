-- name: GateEnsure :exec
-- Limits and breakers, shared by all processes: see ledger.Gate and gate.go.
insert into api_gates (scope, step, burst)
select @scope::text, make_interval(0, 0, 0, 0, 0, 0, @step_seconds::float8), @burst::int
union all
select 'provider', interval '0', 0
on conflict do nothing;

-- name: GateAdmit :one
-- An admission is one statement. It and the outcomes set synchronous_commit off
-- for themselves: losing the last moment of a counter in a crash costs a call or
-- two, waiting for the disk would cost every call.
--
-- Rows are locked in one order, a connection before the provider. An infinite
-- timestamp must not be subtracted from before PostgreSQL 17, so each is raised
-- to the present by greatest() first.
--
-- No row in the answer: the scope is not there yet. The pace is a GCRA: a call is early, and
-- refused, while the theoretical arrival time lies more than burst - reserve - 1
-- steps ahead.
with args as (
    select @scope::text as scope, @reserve::int as reserve
), own as materialized (
    select a.reserve, g.scope, g.step, g.burst, g.tat, g.blocked_until, g.cb_state, g.cb_failures, g.cb_epoch, g.cb_open_until, g.cb_probe_until
    from api_gates g, args a where g.scope = a.scope for update of g
), probed as materialized (
    -- Locked only while it is not closed: a closed one has nothing to change,
    -- and would make the calls of all connections queue for one row.
    select p.cb_state, p.cb_failures, p.cb_epoch, p.cb_open_until, p.cb_probe_until
    from api_gates p where p.scope = 'provider' and p.cb_state <> 0 and exists (select 1 from own) for update
), provider as (
    select * from probed
    union all
    select p.cb_state, p.cb_failures, p.cb_epoch, p.cb_open_until, p.cb_probe_until
    from api_gates p where p.scope = 'provider' and not exists (select 1 from probed)
), clock as materialized (
    select clock_timestamp() as t from own, provider -- read when the locks are held
), waits as (
    select o.scope, c.t, p.cb_epoch as provider_epoch,
        o.cb_state <> 0 or o.cb_failures > 0 or p.cb_state <> 0 or p.cb_failures > 0 as unsettled,
        greatest(o.blocked_until, c.t) - c.t as asked,
        greatest(
            case o.cb_state when 1 then greatest(o.cb_open_until, c.t) when 2 then greatest(o.cb_probe_until, c.t) else c.t end,
            case p.cb_state when 1 then greatest(p.cb_open_until, c.t) when 2 then greatest(p.cb_probe_until, c.t) else c.t end
        ) - c.t as broken,
        greatest(o.tat, c.t) - c.t - o.step * (o.burst - o.reserve - 1) as early
    from own o, provider p, clock c
), verdict as materialized (
    select w.scope, w.t, w.provider_epoch, w.unsettled, w.asked, w.broken, w.early,
        case when w.asked > interval '0' then 'asked' when w.broken > interval '0' then 'breaker' when w.early > interval '0' then 'limit' else '' end as refusal
    from waits w
), took as (
    update api_gates g set tat = greatest(g.tat, v.t) + g.step,
        cb_epoch = g.cb_epoch + (g.cb_state <> 0)::int,
        cb_probe_until = case when g.cb_state <> 0 then v.t + interval '30 s' else g.cb_probe_until end,
        cb_state = case when g.cb_state <> 0 then 2 else 0 end
    from verdict v where g.scope = v.scope and v.refusal = ''
    returning g.cb_epoch
), took_provider as (
    update api_gates g set cb_epoch = g.cb_epoch + 1, cb_probe_until = v.t + interval '30 s', cb_state = 2
    from verdict v where g.scope = 'provider' and g.cb_state <> 0 and g.cb_epoch = v.provider_epoch and v.refusal = ''
    returning g.cb_epoch
)
select v.refusal::text as refusal,
    extract(epoch from case v.refusal when 'asked' then v.asked when 'breaker' then v.broken when 'limit' then v.early else interval '0' end)::float8 as wait_seconds,
    coalesce((select cb_epoch from took), 0)::bigint as epoch,
    coalesce((select cb_epoch from took_provider), v.provider_epoch)::bigint as provider_epoch,
    v.unsettled::bool as unsettled,
    set_config('synchronous_commit', 'off', true) as durability
from verdict v;

-- name: GateBlock :exec
with relaxed as materialized (select set_config('synchronous_commit', 'off', true))
update api_gates g set blocked_until = greatest(g.blocked_until, clock_timestamp() + make_interval(0, 0, 0, 0, 0, 0, @wait_seconds::float8))
from relaxed where g.scope = @scope;

-- name: GateFail :exec
-- A breaker opens at the fifth failure in a row, or when its probe fails, for
-- 5 s doubling up to a minute, 20 % more or less. That of the provider opens only if
-- another connection fails too or there is no other: the fault of one
-- connection must not stop the rest. Outcomes of an older epoch match nothing.
with relaxed as materialized (
    select set_config('synchronous_commit', 'off', true)
), own as materialized (
    select g.scope, g.cb_state = 2 or g.cb_failures >= 4 as trips
    from api_gates g, relaxed where g.scope = @scope and g.cb_epoch = @epoch for update of g
), provider as materialized (
    select p.scope, p.cb_state = 2 or p.cb_failures >= 4 and (
        exists (select 1 from api_gates o where o.scope <> 'provider' and not starts_with(o.scope, @connection::text) and (o.cb_state <> 0 or o.cb_failures > 0))
        or not exists (select 1 from api_gates o where o.scope <> 'provider' and not starts_with(o.scope, @connection::text))) as trips
    from api_gates p
    where p.scope = 'provider' and p.cb_epoch = @provider_epoch and @of_provider::bool and (select count(*) from own) >= 0
    for update of p
), failed as (
    select o.scope, o.trips from own o
    union all
    select p.scope, p.trips from provider p
)
update api_gates g set cb_failures = g.cb_failures + 1,
    cb_state = case when f.trips then 1 else g.cb_state end,
    cb_open_until = case when f.trips
        then clock_timestamp() + least(interval '1 min', interval '5 s' * 2 ^ least(g.cb_trips, 6)) * (0.8 + 0.4 * random())
        else g.cb_open_until end,
    cb_trips = g.cb_trips + f.trips::int,
    cb_epoch = g.cb_epoch + f.trips::int
from failed f where g.scope = f.scope;

-- name: GateSucceed :exec
with relaxed as materialized (
    select set_config('synchronous_commit', 'off', true)
), own as (
    update api_gates g set cb_state = 0, cb_failures = 0, cb_trips = 0, cb_epoch = g.cb_epoch + (g.cb_state <> 0)::int
    from relaxed where g.scope = @scope and g.cb_epoch = @epoch
    returning g.scope
)
update api_gates g set cb_state = 0, cb_failures = 0, cb_trips = 0, cb_epoch = g.cb_epoch + (g.cb_state <> 0)::int
where g.scope = 'provider' and g.cb_epoch = @provider_epoch and (g.cb_state <> 0 or g.cb_failures > 0) and (select count(*) from own) >= 0;

-- For operators: the provider first, then what holds calls back the longest.
-- Infinite timestamps are raised to the present, as above.
-- name: GateList :many
select s.*, coalesce(u.email, '')::text as email, count(*) over ()::int as scopes
from (
    select g.scope, g.cb_state, g.cb_failures,
        (g.cb_state = 1 and g.forced_until > '-infinity' and g.forced_until = g.cb_open_until)::boolean as forced, g.forced_reason, g.forced_by,
        extract(epoch from greatest(g.blocked_until, now()) - now())::float8 as asked_seconds,
        extract(epoch from case g.cb_state when 1 then greatest(g.cb_open_until, now()) when 2 then greatest(g.cb_probe_until, now()) else now() end - now())::float8 as broken_seconds,
        extract(epoch from greatest(greatest(g.tat, now()) - now() - g.step * (g.burst - 1), interval '0'))::float8 as paced_seconds,
        case when g.burst > 0 then g.burst - ceil(extract(epoch from greatest(g.tat, now()) - now()) / extract(epoch from g.step)) else 0 end::int as free
    from api_gates g
    where sqlc.narg(scope)::text is null or g.scope = sqlc.narg(scope)::text
) s
left join harvest_connections c on c.id = case when s.scope like 'connection:%' then split_part(s.scope, ':', 2)::bigint end
left join users u on u.id = c.user_id
order by s.scope = 'provider' desc, s.cb_state <> 0 desc, greatest(s.asked_seconds, s.broken_seconds, s.paced_seconds) desc, s.scope
limit @most;

-- How many scopes hold calls back, and how the provider's breaker stands.
-- name: GateSummary :one
select count(*) filter (where scope <> 'provider' and cb_state <> 0)::int as broken, count(*) filter (where blocked_until > now())::int as asked,
       coalesce(max(cb_state) filter (where scope = 'provider'), 0)::smallint as provider,
       coalesce(bool_or(cb_state = 1 and forced_until > '-infinity' and forced_until = cb_open_until), false)::boolean as forced
from api_gates;

-- An operator's word counts more than what calls have shown: outcomes of calls
-- admitted before belong to an older epoch.
-- name: GateForce :execrows
update api_gates g
set cb_state = case when sqlc.arg(open)::boolean then 1 else 0 end, cb_failures = 0, cb_trips = 0, cb_epoch = g.cb_epoch + 1,
    cb_open_until = f.until, forced_until = f.until, forced_reason = @reason, forced_by = u.email
from (select case when sqlc.arg(open)::boolean then clock_timestamp() + sqlc.arg(hold)::interval else '-infinity' end as until) f, users u
where g.scope = @scope and u.id = @actor_id;
