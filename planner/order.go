package planner

import "slices"

// PutBefore returns an order in which one thing has moved to stand before
// another; to the end if there is no such other. The order itself stays as it is.
func PutBefore[T comparable](order []T, moved, before T) []T {
	if moved == before {
		return slices.Clone(order)
	}
	rest := slices.DeleteFunc(slices.Clone(order), func(t T) bool { return t == moved })
	at := slices.Index(rest, before)
	if at < 0 {
		at = len(rest)
	}
	return slices.Insert(rest, at, moved)
}
