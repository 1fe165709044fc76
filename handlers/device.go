package handlers

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"furrow/db"
)

// The length in bytes of what is kept of a device.
const (
	maxAddress = 64
	maxAgent   = 200
)

// device is what a request comes from.
func (s *site) device(r *http.Request) db.Device {
	return db.Device{Address: cut(clientAddress(r, s.proxies), maxAddress), Agent: cut(r.UserAgent(), maxAgent)}
}

// cut is the beginning of text that a client sent, as the database takes it.
func cut(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// deviceWords names a browser and a system by what the browser says that it is:
// a hint for its user, and nothing to rely on.
func deviceWords(agent string) string {
	browser, system := firstIn(agent, browsers()), firstIn(agent, systems())
	switch {
	case browser == "" && system == "":
		return "Another program"
	case browser == "":
		return "Another browser on " + system
	case system == "":
		return browser
	default:
		return browser + " on " + system
	}
}

// mark is a part of what a browser says, and what it stands for.
type mark struct{ part, word string }

// browsers are in the order in which to look: most claim to be some of those
// below them, too.
func browsers() []mark {
	return []mark{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"},
	}
}

func systems() []mark {
	return []mark{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"},
	}
}

func firstIn(agent string, marks []mark) string {
	for _, m := range marks {
		if strings.Contains(agent, m.part) {
			return m.word
		}
	}
	return ""
}

// clientAddress is the network address that a request came from, for counting:
// an IPv4 address, or the /64 network of an IPv6 one, which is what a single
// customer has. What proxies say is believed only of trusted ones.
func clientAddress(r *http.Request, proxies []netip.Prefix) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for len(forwarded) > 0 && trusted(address, proxies) {
		last := strings.TrimSpace(forwarded[len(forwarded)-1])
		forwarded = forwarded[:len(forwarded)-1]
		before, err := netip.ParseAddr(last)
		if err != nil {
			break
		}
		address = before
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		return netip.PrefixFrom(address, 64).Masked().String()
	}
	return address.String()
}

func trusted(address netip.Addr, proxies []netip.Prefix) bool {
	for _, prefix := range proxies {
		if prefix.Contains(address.Unmap().WithZone("")) {
			return true
		}
	}
	return false
}
