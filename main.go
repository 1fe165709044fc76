// Furrow is a weekly planner for freelancers who track and bill their time in
// Harvest. See README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	_ "time/tzdata" // users' zones must not depend on the machine

	"github.com/alecthomas/kong"

	"furrow/db"
	"furrow/db/localpg"
	"furrow/db/localpg/carried"
	"furrow/ledger"
)

// version is set by the build.
var version = "development"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "furrow:", err)
		os.Exit(1)
	}
}

// environment is what a command has of the outside.
type environment struct {
	getenv func(string) string
	stdin  io.Reader
	stdout io.Writer
	log    *slog.Logger
}

// errHelp: the help was asked for and printed.
var errHelp = errors.New("help")

// run reads the command line and does what it says until ctx is over.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	var line commandLine
	parser, err := kong.New(&line,
		kong.Name("furrow"),
		kong.Description("A weekly planner for people who track their time in Harvest."),
		kong.Writers(stdout, stderr),
		kong.UsageOnError(),
		kong.Exit(func(int) { panic(errHelp) }), // kong has no other way to stop after the help
	)
	if err != nil {
		return fmt.Errorf("prepare the command line: %w", err)
	}
	defer func() {
		if r := recover(); r != nil {
			if r != any(errHelp) {
				panic(r)
			}
			err = nil
		}
	}()
	parsed, err := parser.Parse(args)
	if err != nil {
		return err
	}
	env := &environment{
		getenv: getenv, stdin: stdin, stdout: stdout,
		log: newLog(stderr, getenv),
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(env)
}

// newLog writes lines of names and values, or of JSON.
func newLog(w io.Writer, getenv func(string) string) *slog.Logger {
	options := &slog.HandlerOptions{Level: logLevel(getenv("FURROW_LOG"))}
	if getenv("FURROW_LOG_FORMAT") == "json" {
		return slog.New(ledger.TracedLog(slog.NewJSONHandler(w, options)))
	}
	return slog.New(ledger.TracedLog(slog.NewTextHandler(w, options)))
}

func logLevel(name string) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(name)); err != nil {
		return slog.LevelInfo
	}
	return level
}

// Run prints what is needed to report a problem.
func (c *versionConfig) Run(ctx context.Context, env *environment) error {
	postgres, err := c.postgres(ctx)
	if err != nil {
		postgres = "not reachable: " + firstLine(err)
	}
	fmt.Fprintf(env.stdout, "furrow %s\n%s %s/%s\nPostgreSQL %s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH, postgres)
	return nil
}

// postgres is the version of the server in use; for a private one, which is not
// started for this, the major version that it would have.
func (c *versionConfig) postgres(ctx context.Context) (string, error) {
	archive := carried.PostgreSQL()
	switch {
	case c.DatabaseURL == "" && archive != nil:
		return archive.Version + ", carried in this file", nil
	case c.DatabaseURL == "":
		major, err := localpg.Major(ctx)
		return strconv.Itoa(major), err
	}
	pool, err := db.Open(ctx, c.address(), 1)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	var postgres string
	err = pool.QueryRow(ctx, "show server_version").Scan(&postgres)
	return postgres, err
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
