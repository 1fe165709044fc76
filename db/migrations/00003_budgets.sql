-- +goose Up

-- When the settings of the account and the budgets were read, and when they were
-- last asked for, however that ended. Without budgets_at they were never read.
alter table harvest_connections
    add column account_at       timestamptz not null default now(),
    add column account_asked_at timestamptz,
    add column budgets_at       timestamptz,
    add column budgets_asked_at timestamptz,
    add column budgets_hidden   boolean not null default false;           -- Harvest said that this user may not see them
update harvest_connections set account_at = connected_at;

-- Harvest's report on budgets, as it was last read. Figures are hours or money
-- of the client's currency, as budget_by says; null: not shown to this user.
create table project_budgets (
    user_id    bigint not null references users on delete cascade,
    project_id bigint not null references projects on delete cascade,
    budget_by  text not null,                                             -- ledger.BudgetBy
    is_monthly boolean not null,                                          -- spent and remaining are of this month
    budget     numeric,
    spent      numeric,
    remaining  numeric,
    read_at    timestamptz not null default now(),
    primary key (user_id, project_id)
);

-- +goose Down
drop table project_budgets;
alter table harvest_connections
    drop column account_at,
    drop column account_asked_at,
    drop column budgets_at,
    drop column budgets_asked_at,
    drop column budgets_hidden;
