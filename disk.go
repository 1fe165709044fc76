package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// disk is the room of a file system, in bytes and in files.
type disk struct {
	free, size            uint64 // free for us, not for root alone
	freeInodes, allInodes uint64 // both 0 where files are not counted
}

// diskOf looks at the file system that a path is on.
func diskOf(path string) (disk, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return disk{}, fmt.Errorf("look at the file system of %s: %w", path, err)
	}
	block := uint64(fs.Bsize)
	return disk{free: uint64(fs.Bavail) * block, size: fs.Blocks * block, freeInodes: uint64(fs.Ffree), allInodes: fs.Files}, nil
}

// nearlyFull is less than PostgreSQL may need at once: some segments of its log.
const nearlyFull = 64 << 20

// full reports whether there may not have been room for something that failed.
func (d disk) full() bool {
	return d.free < nearlyFull || d.allInodes > 0 && d.freeInodes < 100
}
