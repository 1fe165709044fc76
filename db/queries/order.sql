-- The order of clients and rows. See order.go.

-- name: WeekRowOrder :many
select project_id, task_id, position from row_orders where user_id = @user_id;

-- name: ChangeReorder :one
select reorder from plan_changes where user_id = @user_id and mutation_id = @mutation_id;

-- name: ClientOrder :many
select client_id from client_orders where user_id = @user_id order by position, client_id;

-- name: RowOrder :many
select o.project_id, o.task_id
from row_orders o
join projects p on p.id = o.project_id
where o.user_id = @user_id and p.client_id = @client_id
order by o.position, o.project_id, o.task_id;

-- name: ClientOrderClear :exec
delete from client_orders where user_id = @user_id;

-- name: ClientOrderStore :execrows
insert into client_orders (user_id, client_id, position)
select c.user_id, c.id, x.position
from unnest(sqlc.arg(client_ids)::bigint[]) with ordinality as x (id, position)
join clients c on c.user_id = @user_id and c.id = x.id;

-- name: RowOrderClear :exec
delete from row_orders o using projects p
where o.user_id = @user_id and p.id = o.project_id and p.client_id = @client_id;

-- name: RowOrderStore :execrows
insert into row_orders (user_id, project_id, task_id, position)
select p.user_id, p.id, t.id, x.position
from unnest(sqlc.arg(project_ids)::bigint[]) with ordinality as x (id, position)
join unnest(sqlc.arg(task_ids)::bigint[]) with ordinality as y (id, position) on y.position = x.position
join projects p on p.user_id = @user_id and p.client_id = @client_id and p.id = x.id
join tasks t on t.user_id = @user_id and t.id = y.id;
