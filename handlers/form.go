package handlers

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"furrow/planner"
	"furrow/views"
)

// form is what was posted, as it was typed.
type form struct {
	url.Values
}

// text returns a field without the blanks around it.
func (f form) text(name string) string { return strings.TrimSpace(f.Get(name)) }

// fields returns the named fields as they were typed, with what is wrong, to
// show the form again. Secrets are not to be named.
func (f form) fields(errs planner.FieldErrors, names ...string) views.Fields {
	values := make(map[string]string, len(names))
	for _, name := range names {
		values[name] = f.Get(name)
	}
	return views.Fields{Values: values, Errors: errs}
}

// readForm reads the fields of a posted form. Fields of the query are not among
// them. Text that no browser sends and no database takes is refused here, once
// for all fields.
func readForm(r *http.Request) (form, error) {
	if err := r.ParseForm(); err != nil {
		return form{}, unreadable(err)
	}
	for _, values := range r.PostForm {
		for _, value := range values {
			if !storable(value) {
				return form{}, errMalformed
			}
		}
	}
	return form{r.PostForm}, nil
}

// unreadable tells what is too large from what is damaged.
func unreadable(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return fmt.Errorf("%w: %w", errMalformed, err)
}

// pathID reads an id from the path. What is no id at all is not found either.
func pathID(r *http.Request, name string) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue(name), 10, 64)
	if err != nil || id <= 0 {
		return 0, fmt.Errorf("%s in the path: %w", name, planner.ErrNotFound)
	}
	return id, nil
}

// idForm reads a form about the thing whose id is in the path.
func idForm(r *http.Request) (id int64, f form, err error) {
	if id, err = pathID(r, "id"); err == nil {
		f, err = readForm(r)
	}
	return id, f, err
}

// maxMutationID is how long the id of a stored form may be.
const maxMutationID = 64

// mutationID reads the id under which a form is stored, so that it is stored
// once however often it is sent. A form without one is taken to be sent once.
func mutationID(f form) (string, error) {
	if !f.Has("mutation_id") {
		return rand.Text(), nil
	}
	id := f.Get("mutation_id")
	if len(id) < 8 || len(id) > maxMutationID {
		return "", errMalformed
	}
	return id, nil
}
