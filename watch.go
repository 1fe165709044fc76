package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"furrow/jobs"
	"furrow/ledger/notice"
)

// watch is what looks for what is wrong.
func (c *serveConfig) watch(p *program, served served, private bool, log *slog.Logger) *jobs.Watch {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	w := &jobs.Watch{
		Store: p.jobs, Queue: p.queue, Channels: served.channels(served.publicURL), Host: host, Role: c.Role, Log: log,
		Disks: func() ([]notice.Disk, error) { return diskSpace(served.diskLimit, c.directories(private)) },
	}
	if served.mail != nil {
		w.Mailer = served.mail
	}
	if served.webhook != nil {
		w.Poster = served.webhook
	}
	return w
}

// directories are where this process stores something: the data directory and,
// where it is elsewhere, the private PostgreSQL's.
func (c *serveConfig) directories(private bool) []string {
	if !private {
		return []string{c.DataDir}
	}
	return []string{c.DataDir, filepath.Join(c.DataDir, "postgres")}
}

// diskSpace measures the disks of the directories, each disk once.
func diskSpace(limit notice.DiskLimit, directories []string) ([]notice.Disk, error) {
	var disks []notice.Disk
	var errs []error
	seen := map[uint64]bool{}
	for _, directory := range directories {
		path, err := filepath.EvalSymlinks(directory)
		var file unix.Stat_t
		if err == nil {
			err = unix.Stat(path, &file)
		}
		var room disk
		if err == nil {
			room, err = diskOf(path)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("measure the disk of %s: %w", directory, err))
			continue
		}
		if device := uint64(file.Dev); !seen[device] {
			seen[device] = true
			disks = append(disks, notice.Disk{Path: path, Free: room.free, Total: room.size, Low: limit.Low(room.free, room.size)})
		}
	}
	return disks, errors.Join(errs...)
}

func newMessageID() string { return rand.Text() }
