package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"furrow/db"
	"furrow/db/dbtest"
	"furrow/db/localpg/testpg"
)

// ofTheHost are checks of what a test cannot choose; they have tests of their own.
// The tests' PostgreSQL waits for no disk.
var ofTheHost = []string{"user", "disk", "file system", "open files", "memory", "service", "durability"}

const databasePassword = "as-good-as-any"

// examined is what furrow doctor says in JSON, by check.
func examined(t *testing.T, args ...string) (map[string]finding, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), append([]string{"doctor", "--json"}, args...), func(string) string { return "" }, strings.NewReader(""), &stdout, &stderr)
	for _, secret := range []string{string(dbtest.SecretKey()), databasePassword} {
		if strings.Contains(stdout.String()+stderr.String(), secret) {
			t.Errorf("it tells a secret: %s%s", &stdout, &stderr)
		}
	}
	var list []finding
	if jsonErr := json.Unmarshal(stdout.Bytes(), &list); jsonErr != nil {
		t.Fatalf("%v, %v: %s", err, jsonErr, &stdout)
	}
	found := map[string]finding{}
	for _, f := range list {
		if f.Found == "" || (f.State == fine) != (f.Do == "") && f.State != problem {
			t.Errorf("half a finding: %+v", f)
		}
		found[f.Check] = f
	}
	if unwell := slices.ContainsFunc(list, func(f finding) bool { return f.State == problem }); unwell != errors.Is(err, errUnwell) {
		t.Errorf("it ends with %v: %+v", err, list)
	}
	return found, err
}

// soundHost are flags with which all is well, with a database that others may
// look at as well, and the directory of the data.
func soundHost(t *testing.T, database, harvest string) (args []string, data string) {
	t.Helper()
	data = filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := db.StoreSecretKey(filepath.Join(data, "secret.key"), dbtest.SecretKey()); err != nil {
		t.Fatal(err)
	}
	return []string{
		"--database-url", database, "--data-dir", data, "--listen", "127.0.0.1:0",
		"--harvest-url", harvest, "--harvest-id-url", harvest,
	}, data
}

func soundDatabase(t *testing.T) string {
	t.Helper()
	database := dbtest.URL(t)
	storeCredentials(t, database)
	return database
}

// refusingHarvest answers as Harvest does to who does not say who they are.
func refusingHarvest(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(server.Close)
	return server.URL
}

func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	args, data := soundHost(t, soundDatabase(t), refusingHarvest(t))
	writeFile(t, filepath.Join(data, "furrow-20261123T010203Z.backup"), []byte("new"))
	found, _ := examined(t, append(args, "--backup-dir", data)...)
	for _, name := range []string{
		"flags", "PostgreSQL", "data directory", "secret key", "backup", "encoding", "connections", "schema", "clock",
		"open transactions", "long statements", "indexes", "listen", "public URL", "Harvest", "Harvest ID",
	} {
		if found[name].State != fine {
			t.Errorf("%s: %+v", name, found[name])
		}
	}
	for name := range found {
		if found[name].State != fine && !slices.Contains(ofTheHost, name) {
			t.Errorf("%+v", found[name])
		}
	}

	// For people, in columns.
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), append([]string{"doctor"}, args...), func(string) string { return "" }, strings.NewReader(""), &stdout, &stderr)
	if err != nil && !errors.Is(err, errUnwell) || !strings.Contains(stdout.String(), "ok       PostgreSQL ") || strings.Contains(stdout.String(), "\t") {
		t.Errorf("%v:\n%s", err, &stdout)
	}
}

// Each fault is made real, and told by the check that is there for it.
func TestDoctorFindsFaults(t *testing.T) {
	t.Parallel()
	type host struct {
		t    *testing.T
		args []string
		data string
	}
	// query changes a database of its own.
	query := func(h *host, statement string) {
		h.t.Helper()
		url := soundDatabase(h.t)
		h.args = append(h.args, "--database-url", url)
		pool, err := db.Open(h.t.Context(), url, 1)
		if err == nil {
			_, err = pool.Exec(h.t.Context(), statement)
			pool.Close()
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
	set := func(h *host, args ...string) { h.args = append(h.args, args...) }
	certificate := func(h *host, name string, until time.Duration) {
		h.t.Helper()
		dir := h.t.TempDir()
		certFile, keyFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
		text, key := issued(h.t, name, time.Now().Add(until))
		writeFile(h.t, certFile, text)
		writeFile(h.t, keyFile, key)
		set(h, "--tls-cert-file", certFile, "--tls-key-file", keyFile, "--public-url", "https://localhost")
	}
	serves := func(h *host, answer string) string {
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
		h.t.Cleanup(other.Close)
		return other.Listener.Addr().String()
	}
	key := func(h *host) string { return filepath.Join(h.data, "secret.key") }
	tests := []struct {
		name  string
		fault func(*host)
		check string
		state state
		want  string
	}{
		{"a flag", func(h *host) { set(h, "--public-url", "plan.example.com") }, "flags", problem, "--public-url"},
		{"a secret that is not there", func(h *host) {
			set(h, "--harvest-client-id", "furrow", "--harvest-client-secret-file", filepath.Join(h.data, "none"))
		}, "flags", problem, "client secret"},
		{"no database", func(h *host) { set(h, "--database-url", "postgres://nobody:"+databasePassword+"@127.0.0.1:1/none") }, "PostgreSQL", problem, "refused"},
		{"another's cluster", func(h *host) {
			writeFile(h.t, filepath.Join(h.data, "postgres"), nil)
			set(h, "--database-url", "")
		}, "PostgreSQL", problem, "is not a PostgreSQL cluster"},
		{"commits that are not waited for", func(h *host) {
			query(h, "do $$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $$")
		}, "durability", problem, "synchronous_commit off"},
		{"more connections than there are", func(h *host) { set(h, "--web-connections", "5000") }, "connections", problem, "5021"},
		{"an older schema", func(h *host) { set(h, "--database-url", dbtest.EmptyURL(h.t)) }, "schema", warning, "number 0"},
		{"a newer schema", func(h *host) {
			query(h, "insert into goose_db_version (version_id, is_applied) values (999999, true)")
		}, "schema", warning, "number 999999"},
		{"an index that is not used", func(h *host) {
			query(h, "update pg_index set indisvalid = false where indexrelid = 'users_pkey'::regclass")
		}, "indexes", problem, "users_pkey"},
		{"a file for a directory", func(h *host) { set(h, "--data-dir", key(h)) }, "data directory", problem, "is no directory"},
		{"a directory open to others", func(h *host) { chmod(h.t, h.data, 0o755) }, "data directory", warning, "mode 0755"},
		{"a key cut short", func(h *host) { writeFile(h.t, key(h), []byte("short")) }, "secret key", problem, "holds 5 bytes"},
		{"another key", func(h *host) { writeFile(h.t, key(h), bytes.Repeat([]byte("o"), db.SecretKeySize)) }, "secret key", problem, "does not open"},
		{"no key", func(h *host) { remove(h.t, key(h)) }, "secret key", problem, "is not there"},
		{"a key for all to read", func(h *host) { chmod(h.t, key(h), 0o644) }, "secret key", problem, "mode 0644"},
		{"no backup", func(h *host) { set(h, "--backup-dir", h.t.TempDir()) }, "backup", problem, "there is none"},
		{"no directory of backups", func(h *host) { set(h, "--backup-dir", filepath.Join(h.data, "none")) }, "backup", problem, "no such file"},
		{"an old backup", func(h *host) {
			dir := h.t.TempDir()
			path := filepath.Join(dir, "furrow-20261101T010203Z.backup")
			writeFile(h.t, path, nil)
			writeFile(h.t, filepath.Join(dir, "new.txt"), nil)
			old := time.Now().Add(-50 * time.Hour)
			if err := os.Chtimes(path, old, old); err != nil {
				h.t.Fatal(err)
			}
			set(h, "--backup-dir", dir)
		}, "backup", problem, "50 hours old"},
		{"another program on the port", func(h *host) { set(h, "--listen", serves(h, "hello")) }, "listen", problem, "another program"},
		{"furrow on the port", func(h *host) { set(h, "--listen", serves(h, "ok\n")) }, "listen", fine, "furrow serves"},
		{"another program for metrics", func(h *host) { set(h, "--metrics-listen", serves(h, "hello")) }, "metrics", problem, "another program"},
		{"an address of another machine", func(h *host) { set(h, "--listen", "192.0.2.1:8080") }, "listen", problem, "cannot assign"},
		{"a name that leads nowhere", func(h *host) { set(h, "--public-url", "http://plan.invalid") }, "public URL", warning, "plan.invalid"},
		{"a name that leads elsewhere", func(h *host) { set(h, "--public-url", "http://192.0.2.1") }, "public URL", warning, "no address of this machine"},
		{"a sound certificate", func(h *host) { certificate(h, "localhost", 80*24*time.Hour) }, "certificate", fine, "for localhost until"},
		{"a certificate soon over", func(h *host) { certificate(h, "localhost", time.Minute) }, "certificate", warning, "until"},
		{"a certificate that is over", func(h *host) { certificate(h, "localhost", -time.Minute) }, "certificate", problem, "and not now"},
		{"a certificate for another name", func(h *host) { certificate(h, "other.test", 80*24*time.Hour) }, "certificate", problem, "but for other.test"},
		{"nobody shows a certificate", func(h *host) { set(h, "--public-url", "https://localhost:1") }, "certificate", warning, "nobody answers"},
		{"a certificate that nobody trusts", func(h *host) {
			set(h, "--public-url", untrusted(h.t))
		}, "certificate", problem, "unknown authority"},
		{"Harvest out of reach", func(h *host) { set(h, "--harvest-url", "http://127.0.0.1:1") }, "Harvest", problem, "refused"},
		{"Harvest has no address", func(h *host) { set(h, "--harvest-id-url", "https://harvest.invalid") }, "Harvest ID", problem, "harvest.invalid"},
		{"somebody between us and Harvest", func(h *host) {
			set(h, "--harvest-url", untrusted(h.t))
		}, "Harvest", problem, "certificate"},
		{"no mail server", func(h *host) { set(h, "--smtp-url", "smtp://127.0.0.1:1", "--mail-from", "furrow@example.com") }, "mail server", problem, "refused"},
	}
	database, harvest := soundDatabase(t), refusingHarvest(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := &host{t: t}
			h.args, h.data = soundHost(t, database, harvest)
			tt.fault(h)
			found, _ := examined(t, h.args...)
			if f := found[tt.check]; f.State != tt.state || !strings.Contains(f.Found, tt.want) {
				t.Errorf("%+v, want %s with %q", f, tt.state, tt.want)
			}
			for name, f := range found {
				if f.State == problem && name != tt.check && !slices.Contains(ofTheHost, name) && tt.check != "flags" && tt.name != "a file for a directory" {
					t.Errorf("besides: %+v", f)
				}
			}
		})
	}
}

// untrusted is the address of a server with a certificate of its own making.
func untrusted(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// A host is looked at through the files in which its kernel tells of it.
func TestDoctorHost(t *testing.T) {
	t.Parallel()
	const mounts = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:26 / /srv/a\040b rw shared:4 - nfs4 host:/export rw
31 22 0:27 / /srv/ram rw shared:5 - tmpfs tmpfs rw
32 22 0:28 / /srv/container rw - overlay overlay rw
`
	for _, tt := range []struct {
		name  string
		files map[string]string
		dir   string
		look  func(context.Context, *doctor) finding
		state state
		want  string
	}{
		{"much memory", map[string]string{"proc/meminfo": "MemTotal:  2000000 kB\n"}, "", lookAtMemory, fine, "1953 MB"},
		{"little memory", map[string]string{"proc/meminfo": "MemFree: 1 kB\nMemTotal:  300000 kB\n"}, "", lookAtMemory, warning, "292 MB"},
		{"a small container", map[string]string{"proc/meminfo": "MemTotal:  2000000 kB\n", "sys/fs/cgroup/memory.max": "134217728\n"}, "", lookAtMemory, problem, "128 MB"},
		{"an unbounded container", map[string]string{"proc/meminfo": "MemTotal:  2000000 kB\n", "sys/fs/cgroup/memory.max": "max\n"}, "", lookAtMemory, fine, "1953 MB"},
		{"no Linux", nil, "", lookAtMemory, "", ""},
		{"no systemd", nil, "", lookAtService, "", ""},
		{"no unit", map[string]string{"run/systemd/system/x": ""}, "", lookAtService, warning, "no furrow.service"},
		{"a unit", map[string]string{"run/systemd/system/x": "", "etc/systemd/system/furrow.service": ""}, "", lookAtService, fine, "furrow.service"},
		{"a local disk", map[string]string{"proc/self/mountinfo": mounts}, "/", lookAtFileSystem, fine, "ext4"},
		{"no mounts", nil, "/", lookAtFileSystem, "", ""},
	} {
		root := t.TempDir()
		for name, content := range tt.files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, path, []byte(content))
		}
		d := &doctor{c: &doctorConfig{}, root: root}
		d.c.DataDir = tt.dir
		if f := tt.look(t.Context(), d); f.State != tt.state || !strings.Contains(f.Found, tt.want) {
			t.Errorf("%s: %+v, want %q with %q", tt.name, f, tt.state, tt.want)
		}
	}
	for dir, want := range map[string]string{"/srv/a b/x": "nfs4", "/srv/ram": "tmpfs", "/srv/rammed": "ext4", "/srv/container/data": "overlay"} {
		if got := fileSystemOf(strings.NewReader(mounts), dir); got != want {
			t.Errorf("%s is on %s, want %s", dir, got, want)
		}
	}
	limit, err := parseDiskLimit("10%,1GiB")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		f     finding
		state state
		want  string
	}{
		{judgeFileSystem("nfs4"), warning, "network"},
		{judgeFileSystem("tmpfs"), problem, "gone after a restart"},
		{judgeFileSystem("overlay"), warning, "container"},
		{judgeDisk(disk{free: 5 << 30, size: 9 << 30, freeInodes: 90, allInodes: 100}, limit), fine, "5120 MB free of 9216 MB"},
		{judgeDisk(disk{free: 500 << 20, size: 9 << 30}, limit), warning, "500 MB"},
		{judgeDisk(disk{free: 100 << 20, size: 9 << 30}, limit), problem, "100 MB"},
		{judgeDisk(disk{free: 5 << 30, size: 9 << 30, freeInodes: 9, allInodes: 1000}, limit), problem, "only for 9 files"},
		{judgeOpenFiles(1024), warning, "1024"},
		{judgeOpenFiles(65536), fine, "65536"},
		{lookAtVersion(db.Condition{Version: "13.1", VersionNumber: 130001}), problem, "13.1"},
		{lookAtEncoding(db.Condition{Encoding: "SQL_ASCII"}), problem, "SQL_ASCII"},
		{lookAtDurability(db.Condition{Settings: map[string]string{"fsync": "on", "full_page_writes": "on", "synchronous_commit": "remote_write"}}), fine, "survives"},
		{lookAtDurability(db.Condition{Settings: map[string]string{"fsync": "off", "full_page_writes": "on", "synchronous_commit": "on"}}), problem, "fsync off"},
		{lookAtClock(db.Condition{Ahead: -5 * time.Second}), problem, "-5s ahead"},
		{lookAtIdle(db.Condition{Idle: []db.Backend{{PID: 7, Application: "psql", For: time.Hour}}}), warning, `process 7 of "psql" for 1h0m0s`},
		{lookAtLong(db.Condition{Long: []db.Backend{{PID: 8, Application: "psql", For: time.Hour}}}), warning, `process 8 of "psql" for 1h0m0s`},
	} {
		if tt.f.State != tt.state || !strings.Contains(tt.f.Found, tt.want) {
			t.Errorf("%+v, want %s with %q", tt.f, tt.state, tt.want)
		}
	}
}

// A private PostgreSQL that does not run is not started.
func TestDoctorStartsNothing(t *testing.T) {
	t.Parallel()
	data := testpg.DataDir(t)
	args, _ := soundHost(t, "", refusingHarvest(t))
	args = append(args, "--data-dir", data)
	found, _ := examined(t, args...)
	if f := found["PostgreSQL"]; f.State != fine || !strings.Contains(f.Found, "made at the first start") {
		t.Errorf("before the first start: %+v", f)
	}
	if names, err := os.ReadDir(data); err != nil || len(names) > 0 {
		t.Errorf("it made %v, %v", names, err)
	}
}
