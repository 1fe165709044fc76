-- Whoever notes that something is asked for is the only one to ask for it.
-- name: AccountAsk :execrows
update harvest_connections set account_asked_at = clock_timestamp()
where user_id = @user_id and (account_stale or account_at < clock_timestamp() - sqlc.arg(age)::interval)
  and (account_asked_at is null or account_asked_at < clock_timestamp() - sqlc.arg(again)::interval);

-- What Harvest refused may have been right by older settings: the next pull reads
-- them again.
-- name: AccountStale :exec
update harvest_connections set account_stale = true where id = @id;

-- What a user may not see of the company any more stays as it was last seen.
-- name: AccountSave :execrows
update harvest_connections
set account_at = clock_timestamp(), account_stale = false, harvest_user_name = @harvest_user_name, time_zone = @time_zone, weekly_capacity = @weekly_capacity,
    company_visible = @company_visible,
    company_name = case when sqlc.arg(company_visible)::boolean then @company_name else company_name end,
    base_uri = case when sqlc.arg(company_visible)::boolean then @base_uri else base_uri end,
    week_start = case when sqlc.arg(company_visible)::boolean then @week_start else week_start end,
    clock = case when sqlc.arg(company_visible)::boolean then @clock else clock end,
    duration_format = case when sqlc.arg(company_visible)::boolean then @duration_format else duration_format end,
    timestamp_timers = case when sqlc.arg(company_visible)::boolean then @timestamp_timers else timestamp_timers end
where user_id = @user_id and harvest_account_id = @harvest_account_id and harvest_user_id = @harvest_user_id;

-- name: BudgetsAsk :execrows
update harvest_connections set budgets_asked_at = clock_timestamp()
where user_id = @user_id and (budgets_asked_at is null or budgets_asked_at < clock_timestamp() - sqlc.arg(age)::interval);

-- name: BudgetsRead :exec
update harvest_connections set budgets_at = clock_timestamp(), budgets_hidden = false where user_id = @user_id;

-- name: BudgetsHide :exec
update harvest_connections set budgets_hidden = true where user_id = @user_id;

-- name: BudgetsForget :exec
delete from project_budgets where user_id = @user_id;

-- Administrators are told the budgets of all projects; those that the user has
-- never had to do with have no row in projects, and stay out.
-- name: BudgetsSave :exec
with listed as (
    select unnest(@harvest_ids::bigint[]) as harvest_id, unnest(@budget_bys::text[]) as budget_by, unnest(@monthly::boolean[]) as is_monthly,
           unnest(@budgets::text[]) as budget, unnest(@spent::text[]) as spent, unnest(@remaining::text[]) as remaining
)
insert into project_budgets (user_id, project_id, budget_by, is_monthly, budget, spent, remaining)
select p.user_id, p.id, l.budget_by, l.is_monthly, nullif(l.budget, '')::numeric, nullif(l.spent, '')::numeric, nullif(l.remaining, '')::numeric
from listed l join projects p on p.user_id = @user_id and p.harvest_id = l.harvest_id
on conflict do nothing;

-- name: Budgets :many
select coalesce(p.harvest_id, 0)::bigint as project_id, p.name as project, coalesce(c.harvest_id, 0)::bigint as client_id, c.name as client, c.currency, b.budget_by, b.is_monthly,
       coalesce(b.budget::text, '')::text as budget, coalesce(b.spent::text, '')::text as spent, coalesce(b.remaining::text, '')::text as remaining
from project_budgets b
join projects p on p.id = b.project_id
join clients c on c.id = p.client_id
where b.user_id = @user_id and b.budget_by <> 'none'
order by lower(c.name), lower(p.name), p.id;
