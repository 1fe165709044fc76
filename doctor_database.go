package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"furrow/db"
	"furrow/db/localpg"
	"furrow/handlers"
)

func databaseChecks() []check {
	return []check{
		{"encoding", ofDatabase(lookAtEncoding)},
		{"durability", ofDatabase(lookAtDurability)},
		{"connections", lookAtConnections},
		{"schema", ofDatabase(lookAtSchema)},
		{"clock", ofDatabase(lookAtClock)},
		{"open transactions", ofDatabase(lookAtIdle)},
		{"long statements", ofDatabase(lookAtLong)},
		{"indexes", ofDatabase(lookAtIndexes)},
	}
}

// ofDatabase makes a check of what is known of the database.
func ofDatabase(look func(db.Condition) finding) func(context.Context, *doctor) finding {
	return func(_ context.Context, d *doctor) finding {
		if d.pool == nil {
			return finding{}
		}
		return look(d.condition)
	}
}

// reach connects to the database, for the checks that follow. A private server
// that does not run is not started.
func (d *doctor) reach(ctx context.Context) finding {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	url := d.c.address()
	if url == "" {
		var err error
		if d.private, err = localpg.Look(ctx, d.c.DataDir, carriedPostgres() != nil); err != nil {
			return finding{State: problem, Found: oneLine(err)}
		}
		if url = d.private.ConnString; url == "" {
			return d.asleep()
		}
	}
	pool, err := db.Open(ctx, url, 1)
	if err != nil {
		return finding{State: problem, Found: oneLine(err), Do: "check --database-url, and that PostgreSQL runs there and lets this machine in"}
	}
	if d.condition, err = db.Inspect(ctx, pool, idleAge, longAge); err != nil {
		pool.Close()
		return finding{State: problem, Found: oneLine(err), Do: "check that the user in --database-url may use the database"}
	}
	d.pool = pool
	return lookAtVersion(d.condition)
}

// asleep is what to say of a private server that does not run.
func (d *doctor) asleep() finding {
	if d.private.Major == 0 {
		return finding{State: fine, Found: "private, made at the first start with the programs in " + cmp.Or(d.private.Programs, "this file")}
	}
	return finding{
		State: warning, Found: fmt.Sprintf("private, version %d, and it does not run, so only its files were looked at", d.private.Major),
		Do: "start furrow serve, and run furrow doctor again",
	}
}

// oldestPostgreSQL is the oldest version that queries are written for.
const oldestPostgreSQL = 14

func lookAtVersion(c db.Condition) finding {
	if c.VersionNumber/10_000 < oldestPostgreSQL {
		return finding{State: problem, Found: "version " + c.Version, Do: fmt.Sprintf("bring it up to version %d or newer", oldestPostgreSQL)}
	}
	return finding{State: fine, Found: "version " + c.Version}
}

func lookAtEncoding(c db.Condition) finding {
	if c.Encoding != "UTF8" {
		return finding{State: problem, Found: c.Encoding + ", which has no place for every letter of a note", Do: "make the database with encoding UTF8, and restore a backup into it"}
	}
	return finding{State: fine, Found: c.Encoding}
}

// lookAtDurability: what is committed must survive a power cut. A change that was
// sent to Harvest and is forgotten here would be sent twice.
func lookAtDurability(c db.Condition) finding {
	var off []string
	for _, name := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		if c.Settings[name] == "off" {
			off = append(off, name)
		}
	}
	if len(off) > 0 {
		return finding{
			State: problem, Found: strings.Join(off, ", ") + " off: after a crash, what was sent to Harvest may be forgotten and sent twice",
			Do: "set them to on in PostgreSQL's configuration",
		}
	}
	return finding{State: fine, Found: "what is committed survives a crash"}
}

// spareConnections are for commands in the shell, and for a rolling restart.
const spareConnections = 4

func lookAtConnections(_ context.Context, d *doctor) finding {
	if d.pool == nil || !d.valid || d.c.Pooled { // a pooler has limits of its own
		return finding{}
	}
	budget := d.c.budget()
	found := fmt.Sprintf("%d may be open, %d are; a process with these flags takes up to %d", d.condition.MaxConnections, d.condition.Connections, budget)
	if d.condition.MaxConnections < budget+spareConnections {
		return finding{State: problem, Found: found, Do: fmt.Sprintf("set max_connections of PostgreSQL to %d or more for each process, or lower --web-connections and --queue-connections", budget+spareConnections)}
	}
	if d.condition.Connections+spareConnections > d.condition.MaxConnections {
		return finding{State: warning, Found: found, Do: "raise max_connections of PostgreSQL, or lower --web-connections and --queue-connections"}
	}
	return finding{State: fine, Found: found}
}

// budget is how many connections a process takes at most, see [processConfig].
func (c *serveConfig) budget() int {
	const listens = 1
	switch handlers.Role(c.Role) {
	case handlers.RoleWeb:
		return c.WebConns + minConns + listens
	case handlers.RoleWorker:
		return 1 + c.QueueConns + listens
	default:
		return c.WebConns + c.QueueConns + listens
	}
}

func lookAtSchema(c db.Condition) finding {
	switch {
	case c.Schema > c.KnownSchema:
		return finding{State: warning, Found: fmt.Sprintf("number %d, of a newer furrow than this one, which knows %d", c.Schema, c.KnownSchema), Do: "go back to the newer one when what you left it for is mended"}
	case c.Schema < c.KnownSchema:
		return finding{State: warning, Found: fmt.Sprintf("number %d; the next start brings it to %d", c.Schema, c.KnownSchema), Do: "save a backup, and start furrow serve or run furrow migrate"}
	}
	return finding{State: fine, Found: fmt.Sprintf("number %d, the newest", c.Schema)}
}

// maxSkew is how far clocks may be apart, with the time that asking takes.
const maxSkew = 2 * time.Second

func lookAtClock(c db.Condition) finding {
	if c.Ahead.Abs() > maxSkew {
		return finding{State: problem, Found: fmt.Sprintf("the clock of the database is %s ahead of this one", c.Ahead.Round(time.Second)), Do: "let both machines set their clocks by NTP (timedatectl set-ntp true)"}
	}
	return finding{State: fine, Found: "this machine and the database agree"}
}

// From when on a transaction in which nothing happens, and a statement that runs,
// are worth a word.
const (
	idleAge = time.Minute
	longAge = 5 * time.Minute
)

func lookAtIdle(c db.Condition) finding {
	if len(c.Idle) > 0 {
		return finding{State: warning, Found: "nothing happens in " + backends(c.Idle), Do: "end what holds them; they keep PostgreSQL from cleaning up, and others from their rows"}
	}
	return finding{State: fine, Found: "none is forgotten"}
}

func lookAtLong(c db.Condition) finding {
	if len(c.Long) > 0 {
		return finding{State: warning, Found: backends(c.Long), Do: "see what they do in pg_stat_activity; a backup of a large database is no worry"}
	}
	return finding{State: fine, Found: "none"}
}

func backends(list []db.Backend) string {
	var texts []string
	for _, b := range list {
		texts = append(texts, fmt.Sprintf("process %d of %q for %s", b.PID, b.Application, b.For))
	}
	return strings.Join(texts, ", ")
}

func lookAtIndexes(c db.Condition) finding {
	if len(c.Invalid) > 0 {
		return finding{State: problem, Found: "not used, as they were not completed: " + strings.Join(c.Invalid, ", "), Do: "run REINDEX INDEX CONCURRENTLY for each of them"}
	}
	return finding{State: fine, Found: "all can be used"}
}
