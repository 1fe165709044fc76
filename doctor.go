package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"furrow/db"
	"furrow/db/localpg"
)

// doctorConfig is a look at what serve would meet with the same flags.
type doctorConfig struct {
	serveConfig

	BackupDir string `name:"backup-dir" env:"FURROW_BACKUP_DIR" placeholder:"DIR" help:"Directory that backups are saved to, to see how old the newest is. Empty: not looked at."`
	JSON      bool   `help:"Print JSON, for programs."`
}

// state is how a finding is to be taken.
type state string

const (
	fine    state = "ok"
	warning state = "warning" // works, but should not stay so
	problem state = "problem" // does not work, or puts data at risk
)

// finding is what one check came to. It never holds a secret.
type finding struct {
	State state  `json:"state"` // empty: there was nothing to look at
	Check string `json:"check"`
	Found string `json:"found"`
	Do    string `json:"do,omitempty"` // what to do; empty: nothing
}

// doctor is what checks look at. They change nothing.
type doctor struct {
	c      *doctorConfig
	env    *environment
	served served // valid flags only
	valid  bool
	root   string // "/", but for tests
	now    time.Time

	private   localpg.Found // without an address of a database
	pool      *pgxpool.Pool // nil: no database was reached
	condition db.Condition  // of the database in pool
}

// check is one thing to look at.
type check struct {
	name string
	look func(context.Context, *doctor) finding
}

// checks lists all, in the order in which they are told.
func checks() []check {
	return slices.Concat(hostChecks(), databaseChecks(), networkChecks())
}

// lookTime bounds each check.
const lookTime = 15 * time.Second

// errUnwell ends the program with a status that tells of a problem.
var errUnwell = errors.New("there is something to do, see above")

// Run looks at everything, and says what it found and what to do.
func (c *doctorConfig) Run(ctx context.Context, env *environment) error {
	d := &doctor{c: c, env: env, root: "/", now: time.Now()}
	findings := d.examine(ctx)
	if err := c.print(env.stdout, findings); err != nil {
		return err
	}
	if slices.ContainsFunc(findings, func(f finding) bool { return f.State == problem }) {
		return errUnwell
	}
	return nil
}

// examine makes all checks, side by side but for those that others build on.
func (d *doctor) examine(ctx context.Context) []finding {
	first := []finding{named("flags", d.flags()), named("PostgreSQL", d.reach(ctx))}
	if d.pool != nil {
		defer d.pool.Close()
	}
	list := checks()
	findings := make([]finding, len(list))
	var group errgroup.Group
	for i, c := range list {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, lookTime)
			defer cancel()
			findings[i] = named(c.name, c.look(ctx, d))
			return nil
		})
	}
	_ = group.Wait() // they return none
	return slices.DeleteFunc(append(first, findings...), func(f finding) bool { return f.State == "" })
}

func named(name string, f finding) finding {
	f.Check = name
	return f
}

// flags reads the command line as serve does.
func (d *doctor) flags() finding {
	var err error
	d.served, err = d.c.check()
	_, _, clientErr := d.c.client()
	dirErr := d.c.resolve(d.env.getenv)
	if err := errors.Join(err, clientErr, dirErr); err != nil {
		return finding{State: problem, Found: oneLine(err), Do: "correct the flags or their FURROW_ variables, see furrow serve --help"}
	}
	d.valid = true
	return finding{State: fine, Found: "all can be used"}
}

// oneLine puts what is wrong, which may be several things, on one line.
func oneLine(err error) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
}

// print writes the findings as lines of columns, or as JSON.
func (c *doctorConfig) print(out io.Writer, findings []finding) error {
	if c.JSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(findings)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		fmt.Fprintf(table, "%s\t%s\t%s\n", f.State, f.Check, f.Found)
		if f.Do != "" {
			fmt.Fprintf(table, "\t\t-> %s\n", f.Do)
		}
	}
	return table.Flush()
}
