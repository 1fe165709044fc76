package main

import (
	"net"
	"path/filepath"
	"testing"
)

func TestNotify(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "socket")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	in := func(address string) func(string) string {
		return func(name string) string { return map[string]string{"NOTIFY_SOCKET": address}[name] }
	}
	if err := notify(in(path), notifyReady); err != nil {
		t.Fatal(err)
	}
	heard := make([]byte, 100)
	n, err := manager.Read(heard)
	if err != nil || string(heard[:n]) != "READY=1" {
		t.Errorf("heard %q, %v", heard[:n], err)
	}
	if err := notify(in(""), notifyReady); err != nil {
		t.Errorf("with nobody to tell: %v", err)
	}
	if err := notify(in(path+".none"), notifyReady); err == nil {
		t.Error("a manager that is not there heard it")
	}
}
