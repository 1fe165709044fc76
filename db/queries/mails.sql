-- The id is taken first: what is sealed is bound to it.
-- name: MailID :one
select nextval(pg_get_serial_sequence('mails', 'id'))::bigint;

-- name: MailAdd :exec
insert into mails (id, recipient, subject, sealed) overriding system value
values (@id, @recipient, @subject, sqlc.arg(sealed)::bytea);

-- A mail that was being sent for so long is nobody's any more.
-- name: MailTake :one
update mails set state = 'sending', attempts = attempts + 1, sending_at = clock_timestamp(), ring_at = clock_timestamp() + 2 * sqlc.arg(term)::interval
where id = @id and (state = 'queued' or state = 'sending' and sending_at < clock_timestamp() - sqlc.arg(term)::interval)
returning message_id, recipient, subject, coalesce(sealed, '')::bytea as sealed, attempts, created_at;

-- name: MailEnd :execrows
update mails set state = @state, error = @error, sealed = null, finished_at = clock_timestamp()
where id = @id and state = 'sending' and attempts = @attempt;

-- name: MailDelay :execrows
update mails set state = 'queued', error = @error, ring_at = clock_timestamp() + sqlc.arg(wait)::interval + interval '1 minute'
where id = @id and state = 'sending' and attempts = @attempt;

-- name: MailsLost :many
update mails set ring_at = clock_timestamp() + interval '5 minutes'
where state in ('queued', 'sending') and ring_at < clock_timestamp()
returning id;
