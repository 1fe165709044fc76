package main

import "net"

// The states that a service manager is told of.
const (
	notifyReady    = "READY=1"
	notifyStopping = "STOPPING=1"
)

// notify tells the service manager, if one has started the program and wants to
// know, of a state. The protocol is that of sd_notify(3): a datagram to the
// socket that the environment names. It is our own because the library for it
// brings those of a whole system along, for these lines.
func notify(getenv func(string) string, state string) error {
	address := getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}

// notify tells of a state, and the log if that fails.
func (e *environment) notify(state string) {
	if err := notify(e.getenv, state); err != nil {
		e.log.Warn("the service manager cannot be told", "state", state, "error", err)
	}
}
