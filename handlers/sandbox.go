package handlers

import (
	"fmt"
	"net/http"

	"furrow/planner"
	"furrow/views"
)

// sandboxHandler turns the outage switch of the stand-in Harvest.
type sandboxHandler struct {
	*site
	control SandboxControl
}

func (h *sandboxHandler) setOutage(w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(r)
	if err != nil {
		return err
	}
	mode := views.Outage(f.Get("mode"))
	switch mode {
	case views.OutageWell, views.Outage503, views.Outage429, views.OutageDrop:
	default:
		return planner.FieldErrors{"mode": "The sandbox knows no such mode."}
	}
	if err := h.control.SetOutage(string(mode)); err != nil {
		return fmt.Errorf("turn the sandbox to %s: %w", mode, err)
	}
	return h.redirect(w, r, localPath(f.Get("next")))
}
