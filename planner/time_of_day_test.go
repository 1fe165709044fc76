package planner_test

import (
	"encoding/json"
	"errors"
	"testing"

	"furrow/planner"
)

func TestParseTimeOfDay(t *testing.T) {
	t.Parallel()
	const none = -1
	for _, tt := range []struct {
		text string
		want planner.Minutes
	}{
		{"14:59", 899}, {"2:59pm", 899}, {"2:59 PM", 899}, {" 02:59pm ", 899}, {"14.59", 899},
		{"8:00am", 480}, {"08:00", 480}, {"8:00", 480}, {"8", 480}, {"8am", 480}, {"8 am", 480}, {"08", 480},
		{"0:00", 0}, {"00:00", 0}, {"12:00am", 0}, {"12am", 0}, {"12:30am", 30}, {"12:00pm", 720}, {"12", 720}, {"12pm", 720}, {"1pm", 780}, {"23:59", 1439}, {"11:59pm", 1439},
		{"", none}, {" ", none}, {"24:00", none}, {"24", none}, {"9:60", none}, {"9:5", none}, {"9:", none}, {":30", none}, {"9:005", none}, {"009:00", none},
		{"0:30am", none}, {"13:00pm", none}, {"am", none}, {"9:00xm", none}, {"-9:00", none}, {"9:-1", none}, {"9:00:00", none}, {"9h30", none}, {"nine", none}, {"9：00", none}, {"٩:00", none},
	} {
		got, err := planner.ParseTimeOfDay(tt.text)
		if tt.want == none {
			if !errors.Is(err, planner.ErrNotTimeOfDay) || !got.IsZero() {
				t.Errorf("%q: %v, %v; want an error", tt.text, got, err)
			}
			continue
		}
		if err != nil || got.IsZero() || got.Minutes() != tt.want {
			t.Errorf("%q: %d minutes, %v; want %d", tt.text, got.Minutes(), err, tt.want)
		}
	}
}

// TestTimeOfDayForms: every time of the day can be read again from all of its
// forms.
func TestTimeOfDayForms(t *testing.T) {
	t.Parallel()
	for m := range planner.MaxCell {
		at := planner.TimeAt(m)
		if at.IsZero() || at.Minutes() != m {
			t.Fatalf("%d minutes: %d", m, at.Minutes())
		}
		for _, clock := range []string{"12h", "24h"} {
			if again, err := planner.ParseTimeOfDay(at.Format(clock)); err != nil || again != at {
				t.Errorf("%q: %v, %v", at.Format(clock), again, err)
			}
		}
		var again planner.TimeOfDay
		if text, err := json.Marshal(at); err != nil || json.Unmarshal(text, &again) != nil || again != at {
			t.Errorf("%s: %v, %v", text, again, err)
		}
	}
	for _, tt := range []struct {
		minutes          planner.Minutes
		want12h, want24h string
	}{
		{0, "12:00am", "00:00"}, {9*60 + 5, "9:05am", "09:05"}, {12 * 60, "12:00pm", "12:00"}, {14*60 + 30, "2:30pm", "14:30"}, {1439, "11:59pm", "23:59"},
	} {
		at := planner.TimeAt(tt.minutes)
		if at.Format("12h") != tt.want12h || at.Format("24h") != tt.want24h || at.String() != tt.want24h {
			t.Errorf("%d minutes: %q, %q", tt.minutes, at.Format("12h"), at)
		}
	}
}

func TestNoTimeOfDay(t *testing.T) {
	t.Parallel()
	var none planner.TimeOfDay
	if !none.IsZero() || none.String() != "" || none.Format("12h") != "" || none.Minutes() != 0 || !none.Add(60).IsZero() {
		t.Errorf("no time: %q, %d minutes, an hour later %q", none, none.Minutes(), none.Add(60))
	}
	for _, m := range []planner.Minutes{-1, planner.MaxCell, 1 << 20} {
		if at := planner.TimeAt(m); !at.IsZero() {
			t.Errorf("%d minutes: %v", m, at)
		}
	}
	nine := planner.TimeAt(9 * 60)
	for _, tt := range []struct {
		add  planner.Minutes
		want string
	}{{0, "09:00"}, {90, "10:30"}, {-9 * 60, "00:00"}, {-9*60 - 1, ""}, {15*60 - 1, "23:59"}, {15 * 60, ""}, {1 << 20, ""}} {
		if got := nine.Add(tt.add).String(); got != tt.want {
			t.Errorf("9:00 and %d minutes: %q, want %q", tt.add, got, tt.want)
		}
	}
	var read planner.TimeOfDay
	if err := json.Unmarshal([]byte(`""`), &read); err != nil || !read.IsZero() {
		t.Errorf("empty text: %v, %v", read, err)
	}
	if err := json.Unmarshal([]byte(`"25:00"`), &read); !errors.Is(err, planner.ErrNotTimeOfDay) {
		t.Errorf("25:00: %v", err)
	}
}
