-- +goose Up

-- The order into which a user has put clients, and the rows of each client, in
-- all weeks alike. What has no position follows by name.
create table client_orders (
    user_id   bigint not null references users on delete cascade,
    client_id bigint not null references clients on delete cascade,
    position  int not null,
    primary key (user_id, client_id)
);
create table row_orders (
    user_id    bigint not null references users on delete cascade,
    project_id bigint not null references projects on delete cascade,
    task_id    bigint not null references tasks on delete cascade,
    position   int not null,                                              -- within the client
    primary key (user_id, project_id, task_id)
);

-- What a change did to such an order: {"Client", "Before", "After"}, see db/order.go.
alter table plan_changes add column reorder jsonb;

-- +goose Down
alter table plan_changes drop column reorder;
drop table row_orders, client_orders;
