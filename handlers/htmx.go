package handlers

import "net/http"

// The headers of htmx 4 that are used here.
const (
	hxRequest     = "HX-Request"      // in: "true" for every request by htmx
	hxRequestType = "HX-Request-Type" // in: "full" if the whole page is replaced, else "partial"
	hxTarget      = "HX-Target"       // in: what the answer goes into, "section#cell"
	hxRedirect    = "HX-Redirect"     // out: load this address as a page
	hxRetarget    = "HX-Retarget"     // out: swap into this instead
	hxReswap      = "HX-Reswap"       // out: swap like this instead
)

// noticeArea is where the frame of a page shows messages; see the layout in
// package views.
const noticeArea = "#notice"

// isHTMX reports whether the request was made by htmx.
func isHTMX(r *http.Request) bool { return r.Header.Get(hxRequest) == "true" }

// wantsFragment reports whether the answer will be put into a part of the page.
func wantsFragment(r *http.Request) bool {
	return isHTMX(r) && r.Header.Get(hxRequestType) != "full"
}

// intoNotice sends the answer to the message area, away from what was typed.
func intoNotice(w http.ResponseWriter) {
	w.Header().Set(hxRetarget, noticeArea)
	w.Header().Set(hxReswap, "innerHTML")
}
