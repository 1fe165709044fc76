package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"furrow/db"
	"furrow/handlers"
	"furrow/jobs"
	"furrow/ledger"
	"furrow/ledger/notice"
)

// commandLine is the whole command line; kong reads it. Every flag has an
// environment variable FURROW_… of the same name.
type commandLine struct {
	Serve     serveConfig   `cmd:"" default:"withargs" help:"Serve pages and work jobs (the default)."`
	Sandbox   sandboxConfig `cmd:"" help:"Run the stand-in Harvest alone."`
	Migrate   migrateConfig `cmd:"" help:"Bring the database to the newest schema, and stop."`
	Admin     adminConfig   `cmd:"" help:"Manage accounts from the shell, and hold what is to be sent."`
	Backup    backupConfig  `cmd:"" help:"Save everything in one file, the secret key included. Also while furrow runs."`
	Restore   restoreConfig `cmd:"" help:"Bring a saved file into an empty database. Nothing is sent before Harvest has been compared."`
	Doctor    doctorConfig  `cmd:"" help:"Look at this machine, with the flags of serve, and say what is wrong and what to do. Changes nothing, also while furrow runs."`
	RotateKey rotateConfig  `cmd:"" name:"rotate-key" help:"Replace the secret key while furrow runs. Then, later, once more with --finish."`
	Version   versionConfig `cmd:"" help:"Print the versions of furrow, Go and the PostgreSQL in use."`
}

// databaseConfig is what every command that needs the database takes.
type databaseConfig struct {
	DatabaseURL string `name:"database-url" env:"FURROW_DATABASE_URL" placeholder:"URL" help:"Address of a PostgreSQL 14 or newer. Empty: a private one under the data directory."`
	Pooled      bool   `name:"database-pooled" env:"FURROW_DATABASE_POOLED" help:"The address leads through a pooler that lends connections for one transaction at a time, such as PgBouncer with pool_mode = transaction. Jobs are then polled for, so give workers a direct address where you can."`
	DataDir     string `name:"data-dir" env:"FURROW_DATA_DIR" placeholder:"DIR" help:"Directory of the private PostgreSQL and the secret key. Default: $$XDG_DATA_HOME/furrow, or ~/.local/share/furrow."`

	conns int `kong:"-"` // to the database, at most; 0: commandConns
}

// keyConfig is what commands that need the secret key as well take.
type keyConfig struct {
	databaseConfig

	SecretKeyFile string `name:"secret-key-file" env:"FURROW_SECRET_KEY_FILE" placeholder:"FILE" help:"32 random bytes that encrypt Harvest tokens. Made at the first start. Default: secret.key in the data directory."`
}

// keyFile is where the secret key is, once the data directory is resolved.
func (c *keyConfig) keyFile() string {
	if c.SecretKeyFile != "" {
		return c.SecretKeyFile
	}
	return filepath.Join(c.DataDir, "secret.key")
}

type serveConfig struct {
	keyConfig
	noticeConfig
	keepConfig
	tlsFlags
	processConfig

	Role         string   `enum:"all,web,worker" default:"all" env:"FURROW_ROLE" help:"What this process does: web serves pages and never talks to Harvest except to verify credentials, worker works jobs, all does both."`
	Listen       string   `env:"FURROW_LISTEN" placeholder:"ADDRESS" help:"Address to serve on, host:port. Default: 127.0.0.1:8080; with --tls-domain or --tls-cert-file :443."`
	PublicURL    string   `name:"public-url" env:"FURROW_PUBLIC_URL" placeholder:"URL" help:"Where people reach the program. With https, cookies are Secure and HSTS is on. Default: https:// and the first --tls-domain, else http:// and the address to serve on."`
	HarvestURL   string   `name:"harvest-url" env:"FURROW_HARVEST_URL" placeholder:"URL" help:"Address of Harvest's API, https or loopback. Default: the real one."`
	HarvestIDURL string   `name:"harvest-id-url" env:"FURROW_HARVEST_ID_URL" placeholder:"URL" help:"Address of Harvest ID, https or loopback. Default: the real one."`
	ClientID     string   `name:"harvest-client-id" env:"FURROW_HARVEST_CLIENT_ID" placeholder:"ID" help:"Client ID of this installation at Harvest ID, for connecting by logging in there. Empty: personal access tokens only."`
	ClientSecret string   `name:"harvest-client-secret-file" env:"FURROW_HARVEST_CLIENT_SECRET_FILE" placeholder:"FILE" help:"File that holds the client secret."`
	Contact      string   `env:"FURROW_CONTACT" placeholder:"ADDRESS" help:"E-mail or web address of who runs this, told to Harvest in the User-Agent. Default: the public URL."`
	Sandbox      bool     `env:"FURROW_SANDBOX" help:"Run a stand-in Harvest inside the process, and use it instead of the real one."`
	Metrics      string   `name:"metrics-listen" env:"FURROW_METRICS_LISTEN" placeholder:"ADDRESS" help:"Address to serve Prometheus metrics, profiles and health on, host:port; for the operator alone, nobody is asked for a password there. Empty: none."`
	RequireTOTP  string   `name:"require-totp" enum:"none,staff,all" default:"none" env:"FURROW_REQUIRE_TOTP" help:"Who must log in with a one-time code besides the password: none, staff (all who see the admin pages) or all. Those without are led to set it up, and get nothing else before (${default})."`
	DiskFree     string   `name:"alert-disk-free" default:"10%,1GiB" env:"FURROW_ALERT_DISK_FREE" placeholder:"LIMIT" help:"Alert when less than this is free on a disk that this process stores on: a percentage, a size in MiB or GiB, or both (${default})."`
	Proxies      []string `name:"trusted-proxies" env:"FURROW_TRUSTED_PROXIES" placeholder:"CIDR,…" help:"Networks of reverse proxies whose X-Forwarded-For is believed."`
}

type sandboxConfig struct {
	Listen string `default:"127.0.0.1:8081" env:"FURROW_SANDBOX_LISTEN" placeholder:"ADDRESS" help:"Address to serve on, host:port (${default})."`
	Seed   string `enum:"demo,empty,large" default:"demo" env:"FURROW_SANDBOX_SEED" help:"What it holds at the start: demo, empty or large (${default})."`
	State  string `env:"FURROW_SANDBOX_STATE" placeholder:"FILE" help:"File that keeps its state over restarts. Default: memory only."`
}

type migrateConfig struct {
	databaseConfig

	Check bool `help:"Only say whether a migration is needed; exit with 1 if so."`
}

type adminConfig struct {
	Create        adminCreate        `cmd:"" help:"Make an account. The password is read from the terminal or standard input."`
	Promote       adminPromote       `cmd:"" help:"Give somebody a role: admin, operator, viewer, or user again."`
	Hold          adminHold          `cmd:"" help:"Send nothing to Harvest before it has been compared with the database. For after a failover to a standby that may have missed the last moments."`
	Delete        adminDelete        `cmd:"" help:"Delete an account with everything of it. Time entries in Harvest stay."`
	Export        adminExport        `cmd:"" help:"Take everything of an account out, as a zip file of open formats."`
	Invite        adminInvite        `cmd:"" help:"Print a link with which somebody makes an account of their own. It works once, for seven days."`
	ResetLink     adminResetLink     `cmd:"" help:"Print a link with which somebody chooses a new password. It works once, for an hour."`
	TestAlert     adminTestAlert     `cmd:"" help:"Send a test through all channels of the alerts, and say what came of it."`
	ResetPassword adminResetPassword `cmd:"" help:"Give somebody a new password, read from the terminal or standard input, and log them out everywhere."`
	ResetTOTP     adminResetTOTP     `cmd:"" name:"reset-totp" help:"Let somebody who has lost their phone and recovery codes log in with the password alone."`
}

type adminCreate struct {
	databaseConfig

	Email string `arg:"" help:"E-mail address to log in with."`
	Admin bool   `help:"Make it an admin."`
}

type adminPromote struct {
	databaseConfig

	Email string `arg:"" help:"E-mail address of the account."`
	Role  string `enum:"user,viewer,operator,admin" default:"admin" help:"user: their own work alone; viewer: sees the admin pages; operator: acts on writes, jobs and connections, too; admin: on users, too (${default})."`
}

type adminResetPassword struct {
	databaseConfig

	Email string `arg:"" help:"E-mail address of the account."`
}

type adminResetTOTP struct {
	databaseConfig

	Email string `arg:"" help:"E-mail address of the account."`
}

type adminTestAlert struct {
	noticeConfig

	PublicURL string `name:"public-url" default:"http://127.0.0.1:8080" env:"FURROW_PUBLIC_URL" placeholder:"URL" help:"Where people reach the program (${default})."`
}

type adminHold struct {
	databaseConfig
}

type backupConfig struct {
	keyConfig

	File string `arg:"" placeholder:"FILE|DIR" help:"Where to save it. It holds the key to the Harvest tokens, so keep it as a secret; only you may read it. A file that is there already is replaced when the new one is complete. In a directory, it gets a name with the date and time."`
	Keep int    `env:"FURROW_BACKUP_KEEP" placeholder:"N" help:"How many backups to keep in the directory. Once a new one is complete, the oldest beyond them are removed. Default: all."`
}

type restoreConfig struct {
	keyConfig

	File string `arg:"" help:"What furrow backup saved. It is looked at as a whole first. The secret key in it goes to the secret key file, where no other may be. Stop furrow serve before, and start it after."`
}

type versionConfig struct {
	databaseConfig
}

// client returns what this installation is registered with at Harvest ID; both
// are empty if it is not.
func (c *serveConfig) client() (id string, secret ledger.Secret, err error) {
	if c.Sandbox {
		return sandboxClientID, sandboxClientSecret, nil
	}
	if c.ClientID == "" {
		return "", "", nil
	}
	secret, err = readSecret(c.ClientSecret, "the client secret")
	return c.ClientID, secret, err
}

// The client that the sandbox knows.
const (
	sandboxClientID     = "sandbox-client"
	sandboxClientSecret = ledger.Secret("sandbox-secret")
)

// resolve fills in the data directory.
func (c *databaseConfig) resolve(getenv func(string) string) error {
	if c.DataDir == "" {
		base := getenv("XDG_DATA_HOME")
		if base == "" {
			home := getenv("HOME")
			if home == "" {
				return errors.New("there is no home directory to keep data in: set --data-dir or FURROW_DATA_DIR")
			}
			base = filepath.Join(home, ".local", "share")
		}
		c.DataDir = filepath.Join(base, "furrow")
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return fmt.Errorf("data directory %s: %w", c.DataDir, err)
	}
	c.DataDir = dir
	return nil
}

// address is the address of the database as package db takes it; empty: the
// private one's.
func (c *databaseConfig) address() string {
	if c.Pooled {
		return db.Pooled(c.DatabaseURL)
	}
	return c.DatabaseURL
}

// makeDataDir makes the data directory, or says what is wrong with it.
func (c *databaseConfig) makeDataDir() error {
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 {
		mode = 0o711 // PostgreSQL runs as another user then, who must pass through
	}
	if err := os.MkdirAll(c.DataDir, mode); err != nil {
		return fmt.Errorf("the data directory %s cannot be made: %w", c.DataDir, errors.Unwrap(err))
	}
	if _, err := os.ReadDir(c.DataDir); err != nil {
		return fmt.Errorf("the data directory %s cannot be read: %w", c.DataDir, errors.Unwrap(err))
	}
	return nil
}

// served is what a serveConfig means, checked.
type served struct {
	publicURL *url.URL
	loopback  bool // only this machine can reach the program
	proxies   []netip.Prefix
	diskLimit notice.DiskLimit
	keep      jobs.Retention
	voice
}

// check reads the values that have a form, and reports all bad ones at once.
func (c *serveConfig) check() (served, error) {
	var s served
	errs := c.tlsFlags.check(handlers.Role(c.Role))
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
		if c.used() {
			c.Listen = ":443"
		}
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		errs = append(errs, fmt.Errorf("--listen %q is not host:port", c.Listen))
	}
	address, addressErr := netip.ParseAddr(host)
	s.loopback = host == "localhost" || (addressErr == nil && address.IsLoopback())
	public := c.PublicURL
	switch {
	case public == "" && c.acme():
		public = "https://" + c.TLSDomains[0]
	case public == "":
		public = "http://" + c.Listen
	}
	s.publicURL, err = url.Parse(public)
	if err != nil || (s.publicURL.Scheme != "http" && s.publicURL.Scheme != "https") || s.publicURL.Host == "" {
		errs = append(errs, fmt.Errorf("--public-url %q is not an http or https address", public))
	} else if c.used() && s.publicURL.Scheme != "https" {
		errs = append(errs, fmt.Errorf("pages are served over https: set --public-url to an https address, not to %q", public))
	}
	for _, text := range c.Proxies {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			errs = append(errs, fmt.Errorf("--trusted-proxies %q is not a network such as 10.0.0.0/8", text))
		}
		s.proxies = append(s.proxies, prefix)
	}
	errs = append(errs, c.processConfig.check())
	if c.Pooled && c.DatabaseURL == "" {
		errs = append(errs, errors.New("--database-pooled tells of the address in --database-url, which is missing"))
	}
	if c.Sandbox && c.Role != "all" {
		errs = append(errs, errors.New("--sandbox runs inside of one process: use it with --role all, or run furrow sandbox apart"))
	}
	if c.Sandbox && c.used() {
		errs = append(errs, errors.New("--sandbox can be controlled by everybody who reaches it: it is not served to the public with --tls-domain or --tls-cert-file"))
	}
	if c.Sandbox && (c.HarvestURL != "" || c.HarvestIDURL != "") {
		errs = append(errs, errors.New("--sandbox and --harvest-url exclude each other"))
	}
	if (c.ClientID == "") != (c.ClientSecret == "") {
		errs = append(errs, errors.New("--harvest-client-id and --harvest-client-secret-file belong together: set both or none"))
	}
	var voiceErr, keepErr error
	s.keep, keepErr = c.retention()
	s.diskLimit, err = parseDiskLimit(c.DiskFree)
	s.voice, voiceErr = c.voice()
	return s, errors.Join(append(errs, err, voiceErr, keepErr)...)
}

// foundAt completes a public address that nobody gave, when only the listener
// knows the port or no host was named: Harvest must be able to lead back to it.
func (s *served) foundAt(listener net.Listener) {
	host, port, err := net.SplitHostPort(s.publicURL.Host)
	address, addressErr := netip.ParseAddr(host)
	if err == nil && (port == "0" || host == "" || addressErr == nil && address.IsUnspecified()) {
		s.publicURL.Host = loopbackOf(listener)
	}
}
