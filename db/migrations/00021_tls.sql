-- +goose Up

-- What is needed to serve TLS for public names, shared by all processes: certificates, their private keys, the account at the
-- certificate authority, and challenges under way. Keys are paths with slashes; what they hold is sealed.
create table tls_cache (
    key text primary key,
    sealed bytea not null,
    modified_at timestamptz not null default clock_timestamp()
);

-- Who orders a certificate. A holder that ends without a word keeps the others away until then.
create table tls_locks (
    name text primary key,
    holder text not null,
    held_until timestamptz not null
);

-- +goose Down
drop table tls_locks;
drop table tls_cache;
