package views

import "slices"

// Theme is light or dark.
type Theme string

// The themes; also the values of the form field "theme".
const (
	ThemeSystem Theme = "" // what the system has
	ThemeLight  Theme = "light"
	ThemeDark   Theme = "dark"
)

// Valid reports whether there is such a theme.
func (t Theme) Valid() bool {
	return slices.ContainsFunc(themeChoices(), func(c themeChoice) bool { return c.theme == t })
}

// schemes are the colour schemes that a page in this theme can have.
func (t Theme) schemes() string {
	if t == ThemeSystem {
		return "light dark"
	}
	return string(t)
}

type themeChoice struct {
	theme Theme
	label string
}

func themeChoices() []themeChoice {
	return []themeChoice{{ThemeSystem, "System"}, {ThemeLight, "Light"}, {ThemeDark, "Dark"}}
}
