package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"furrow/ledger"
)

// commandLine is the whole command line; kong reads it. Every flag has an
// environment variable FURROW_… of the same name.
type commandLine struct {
	Serve   serveConfig   `cmd:"" default:"withargs" help:"Serve pages and work jobs (the default)."`
	Sandbox sandboxConfig `cmd:"" help:"Run the stand-in Harvest alone."`
	Migrate migrateConfig `cmd:"" help:"Bring the database to the newest schema, and stop."`
	Admin   adminConfig   `cmd:"" help:"Manage accounts from the shell, and hold what is to be sent."`
	Backup  backupConfig  `cmd:"" help:"Save everything in one file, the secret key included. Also while furrow runs."`
	Restore restoreConfig `cmd:"" help:"Bring a saved file into an empty database. Nothing is sent before Harvest has been compared."`
	Version versionConfig `cmd:"" help:"Print the versions of furrow, Go and the PostgreSQL in use."`
}

// databaseConfig is what every command that needs the database takes.
type databaseConfig struct {
	DatabaseURL string `name:"database-url" env:"FURROW_DATABASE_URL" placeholder:"URL" help:"Address of a PostgreSQL 14 or newer. Empty: a private one under the data directory."`
	DataDir     string `name:"data-dir" env:"FURROW_DATA_DIR" placeholder:"DIR" help:"Directory of the private PostgreSQL and the secret key. Default: $$XDG_DATA_HOME/furrow, or ~/.local/share/furrow."`
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

	Role         string   `enum:"all,web,worker" default:"all" env:"FURROW_ROLE" help:"What this process does: web serves pages and never talks to Harvest except to verify credentials, worker works jobs, all does both."`
	Listen       string   `default:"127.0.0.1:8080" env:"FURROW_LISTEN" placeholder:"ADDRESS" help:"Address to serve on, host:port (${default})."`
	PublicURL    string   `name:"public-url" env:"FURROW_PUBLIC_URL" placeholder:"URL" help:"Where people reach the program. With https, cookies are Secure and HSTS is on. Default: http:// and the address to serve on."`
	HarvestURL   string   `name:"harvest-url" env:"FURROW_HARVEST_URL" placeholder:"URL" help:"Address of Harvest's API, https or loopback. Default: the real one."`
	HarvestIDURL string   `name:"harvest-id-url" env:"FURROW_HARVEST_ID_URL" placeholder:"URL" help:"Address of Harvest ID, https or loopback. Default: the real one."`
	ClientID     string   `name:"harvest-client-id" env:"FURROW_HARVEST_CLIENT_ID" placeholder:"ID" help:"Client ID of this installation at Harvest ID, for connecting by logging in there. Empty: personal access tokens only."`
	ClientSecret string   `name:"harvest-client-secret-file" env:"FURROW_HARVEST_CLIENT_SECRET_FILE" placeholder:"FILE" help:"File that holds the client secret."`
	Contact      string   `env:"FURROW_CONTACT" placeholder:"ADDRESS" help:"E-mail or web address of who runs this, told to Harvest in the User-Agent. Default: the public URL."`
	Sandbox      bool     `env:"FURROW_SANDBOX" help:"Run a stand-in Harvest inside the process, and use it instead of the real one."`
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
	Promote       adminPromote       `cmd:"" help:"Make somebody an admin."`
	Hold          adminHold          `cmd:"" help:"Send nothing to Harvest before it has been compared with the database. For after a failover to a standby that may have missed the last moments."`
	ResetPassword adminResetPassword `cmd:"" help:"Give somebody a new password, read from the terminal or standard input, and log them out everywhere."`
}

type adminCreate struct {
	databaseConfig

	Email string `arg:"" help:"E-mail address to log in with."`
	Admin bool   `help:"Make it an admin."`
}

type adminPromote struct {
	databaseConfig

	Email string `arg:"" help:"E-mail address of the account."`
}

type adminResetPassword struct {
	databaseConfig

	Email string `arg:"" help:"E-mail address of the account."`
}

type adminHold struct {
	databaseConfig
}

type backupConfig struct {
	keyConfig

	File string `arg:"" help:"Where to save it. It holds the key to the Harvest tokens, so keep it as a secret; only you may read it. A file that is there already is replaced when the new one is complete."`
}

type restoreConfig struct {
	keyConfig

	File string `arg:"" help:"What furrow backup saved. It is looked at as a whole first. The secret key in it goes to the secret key file, where no other may be. Stop furrow serve before, and start it after."`
}

type versionConfig struct {
	databaseConfig
}

// maxClientSecret is the largest file in bytes that is taken for a secret.
const maxClientSecret = 4 << 10

// client returns what this installation is registered with at Harvest ID; both
// are empty if it is not.
func (c *serveConfig) client() (id string, secret ledger.Secret, err error) {
	if c.Sandbox {
		return sandboxClientID, sandboxClientSecret, nil
	}
	if c.ClientID == "" {
		return "", "", nil
	}
	text, err := os.ReadFile(c.ClientSecret)
	if err != nil {
		return "", "", fmt.Errorf("the client secret cannot be read from %s: %w", c.ClientSecret, errors.Unwrap(err))
	}
	secret = ledger.Secret(bytes.TrimSpace(text))
	if secret == "" || len(text) > maxClientSecret {
		return "", "", fmt.Errorf("the file %s does not hold a client secret", c.ClientSecret)
	}
	return c.ClientID, secret, nil
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
}

// check reads the values that have a form, and reports all bad ones at once.
func (c *serveConfig) check() (served, error) {
	var s served
	var errs []error
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		errs = append(errs, fmt.Errorf("--listen %q is not host:port", c.Listen))
	}
	address, addressErr := netip.ParseAddr(host)
	s.loopback = host == "localhost" || (addressErr == nil && address.IsLoopback())
	public := c.PublicURL
	if public == "" {
		public = "http://" + c.Listen
	}
	s.publicURL, err = url.Parse(public)
	if err != nil || (s.publicURL.Scheme != "http" && s.publicURL.Scheme != "https") || s.publicURL.Host == "" {
		errs = append(errs, fmt.Errorf("--public-url %q is not an http or https address", public))
	}
	for _, text := range c.Proxies {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			errs = append(errs, fmt.Errorf("--trusted-proxies %q is not a network such as 10.0.0.0/8", text))
		}
		s.proxies = append(s.proxies, prefix)
	}
	if c.Sandbox && c.Role != "all" {
		errs = append(errs, errors.New("--sandbox runs inside of one process: use it with --role all, or run furrow sandbox apart"))
	}
	if c.Sandbox && (c.HarvestURL != "" || c.HarvestIDURL != "") {
		errs = append(errs, errors.New("--sandbox and --harvest-url exclude each other"))
	}
	if (c.ClientID == "") != (c.ClientSecret == "") {
		errs = append(errs, errors.New("--harvest-client-id and --harvest-client-secret-file belong together: set both or none"))
	}
	return s, errors.Join(errs...)
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
