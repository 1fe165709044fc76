-- +goose Up

-- What a listing that goes on later knows of its pages so far.
alter table sync_runs
    add column total    int not null default 0,                           -- entries listed in all, as the last page told it; 0: unknown
    add column shifted  boolean not null default false,                   -- the total changed from one page to another
    add column relisted int not null default 0;                           -- times the listing began anew for that

-- +goose Down
alter table sync_runs drop column total, drop column shifted, drop column relisted;
