-- +goose Up

-- Whether single letters do something while no text is typed.
alter table users add column letter_keys boolean not null default true;

-- +goose Down
alter table users drop column letter_keys;
