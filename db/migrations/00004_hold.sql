-- +goose Up

-- Since when nothing is sent for a connection, because the database may have
-- forgotten what was sent: it was restored from a backup, or failed over to a
-- standby that lagged behind. Null: not held. The first sync run that began
-- later and ends well lets go of it. See db/hold.go.
alter table harvest_connections add column held_since timestamptz;

-- +goose Down
alter table harvest_connections drop column held_since;
