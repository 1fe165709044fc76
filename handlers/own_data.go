package handlers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"furrow/db"
	"furrow/planner"
	"furrow/views"
)

// ownDataHandler lets people take what is theirs with them.
type ownDataHandler struct {
	*site
	store   *db.Store
	exports turns // each holds a connection
}

// The limits of exports, which go as fast as their reader.
const (
	mostExports   = 3
	exportTimeout = 5 * time.Minute
	exportStall   = 20 * time.Second // of a client that reads nothing
)

func (h *ownDataHandler) showExport(w http.ResponseWriter, r *http.Request) error {
	page := views.ExportPage{Chrome: h.chrome(r, "Your data", views.NavSettings)}
	return h.render(w, r, http.StatusOK, page.View())
}

// export sends everything of the user's while it is read, so it may take longer
// than other answers. One that breaks off ends the connection, so that what came
// is not taken for all.
func (h *ownDataHandler) export(w http.ResponseWriter, r *http.Request) error {
	user := currentUser(r)
	if !h.exports.try() {
		return say(errBusy, "Others are taking their data out just now. Try again in a minute.")
	}
	defer h.exports.release()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), exportTimeout)
	defer cancel()
	export, err := h.store.BeginExport(ctx, user.ID)
	if errors.Is(err, planner.ErrConflict) {
		return say(err, "Your data are being put together already. Wait until that download has ended, then try again.")
	}
	if err != nil {
		return err
	}
	defer export.Close()
	err = h.store.InTx(ctx, func(tx *db.Tx) error {
		return tx.Audit(ctx, user.ID, "account.export", fmt.Sprintf("user %d", user.ID), nil)
	})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="furrow-`+user.Profile.Today(h.now()).String()+`.zip"`)
	if err := export.Write(ctx, patient{w, http.NewResponseController(w)}); err != nil {
		h.log.WarnContext(ctx, "export broke off", "error", err.Error(), "user", user.ID, "request", requestOf(r).id)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// patient gives the client time for each part of a long answer, as long as it
// takes some.
type patient struct {
	to      io.Writer
	control *http.ResponseController
}

func (p patient) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(exportStall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.to.Write(b)
}
