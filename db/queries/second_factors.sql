-- One that is not confirmed yet is replaced; a confirmed one stays.
-- name: SecondFactorBegin :execrows
insert into second_factors (user_id, sealed) values (@user_id, @sealed)
on conflict (user_id) do update set sealed = excluded.sealed, last_step = 0
where second_factors.confirmed_at is null;

-- name: SecondFactorPending :one
select sealed from second_factors where user_id = @user_id and confirmed_at is null;

-- Codes are compared one after the other, however many come at once.
-- name: SecondFactorLock :one
select sealed, last_step from second_factors where user_id = @user_id and (confirmed_at is not null) = @confirmed::boolean for update;

-- name: SecondFactorTake :exec
update second_factors set last_step = @step, confirmed_at = coalesce(confirmed_at, now()) where user_id = @user_id;

-- name: SecondFactorRemove :execrows
delete from second_factors where user_id = @user_id;

-- name: RecoveryCodesRemove :exec
delete from recovery_codes where user_id = @user_id;

-- name: RecoveryCodesAdd :exec
insert into recovery_codes (user_id, code_hash) select @user_id, unnest(@code_hashes::bytea[]);

-- name: RecoveryCodeTake :execrows
update recovery_codes set used_at = now() where user_id = @user_id and code_hash = @code_hash and used_at is null;

-- name: RecoveryCodesLeft :one
select count(*) from recovery_codes where user_id = @user_id and used_at is null;

-- name: ThrottleFailures :one
select coalesce(max(failures), 0)::int from login_throttles where subject = @subject;
