-- name: TLSEntry :one
select sealed, modified_at from tls_cache where key = @key;

-- name: TLSEntryStore :exec
insert into tls_cache (key, sealed) values (@key, @sealed)
on conflict (key) do update set sealed = excluded.sealed, modified_at = clock_timestamp();

-- name: TLSEntryDelete :exec
-- And everything below it.
delete from tls_cache where key = @key or starts_with(key, @key || '/');

-- name: TLSKeys :many
select key from tls_cache where starts_with(key, @prefix::text || '/') order by key;

-- name: TLSLock :execrows
insert into tls_locks (name, holder, held_until) values (@name, @holder, clock_timestamp() + @lease::interval)
on conflict (name) do update set holder = excluded.holder, held_until = excluded.held_until
where tls_locks.held_until < clock_timestamp();

-- name: TLSLockKeep :exec
update tls_locks set held_until = clock_timestamp() + @lease::interval where name = @name and holder = @holder;

-- name: TLSUnlock :exec
delete from tls_locks where name = @name and holder = @holder;
