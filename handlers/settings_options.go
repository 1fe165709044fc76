package handlers

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"furrow/planner"
	"furrow/views"
)

const followHarvest = "Follow Harvest"

// choose marks the option with the value.
func choose(value string, options []views.Option) []views.Option {
	for i := range options {
		options[i].Selected = options[i].Value == value
	}
	return options
}

// weekStartOptions are the days that a week may begin on in Harvest.
func weekStartOptions() []views.Option {
	options := []views.Option{{Label: followHarvest}}
	for _, day := range []time.Weekday{time.Saturday, time.Sunday, time.Monday} {
		options = append(options, views.Option{Value: strconv.Itoa(int(day)), Label: day.String()})
	}
	return options
}

func durationFormatOptions() []views.Option {
	return []views.Option{
		{Label: followHarvest},
		{Value: string(planner.HoursMinutes), Label: "Hours and minutes, 1:30"},
		{Value: string(planner.Decimal), Label: "Decimal, 1.5"},
	}
}

// Values of the field letter_keys.
const (
	lettersOn  = "on"
	lettersOff = "off"
)

func letterKeysOptions() []views.Option {
	return []views.Option{{Value: lettersOn, Label: "On"}, {Value: lettersOff, Label: "Off"}}
}

// timeZoneOptions are places to choose from, and the one chosen already if it
// is another one.
func timeZoneOptions(chosen string) []views.Option {
	names := strings.Fields(timeZones)
	if chosen != "" && !slices.Contains(names, chosen) {
		names = append(names, chosen)
	}
	slices.Sort(names)
	options := make([]views.Option, 0, len(names)+1)
	options = append(options, views.Option{Label: followHarvest})
	for _, name := range names {
		options = append(options, views.Option{Value: name, Label: strings.ReplaceAll(name, "_", " ")})
	}
	return options
}

// maxTokenName is in characters; the database keeps to it as well.
const maxTokenName = 100

func tokenNameProblem(name string) string {
	switch {
	case name == "":
		return "Give it a name, so that you know later what it is for."
	case utf8.RuneCountInString(name) > maxTokenName:
		return "Use at most 100 characters."
	}
	return ""
}

// timeZones are the places that Harvest offers, by their IANA names, and a few
// more. Go cannot list the zones it knows.
const timeZones = `
Africa/Algiers Africa/Cairo Africa/Casablanca Africa/Harare Africa/Johannesburg Africa/Lagos Africa/Monrovia
Africa/Nairobi America/Anchorage America/Argentina/Buenos_Aires America/Asuncion America/Bogota America/Caracas
America/Chicago America/Chihuahua America/Denver America/Godthab America/Guatemala America/Guyana America/Halifax
America/Indiana/Indianapolis America/La_Paz America/Lima America/Los_Angeles America/Mazatlan America/Mexico_City
America/Monterrey America/Montevideo America/New_York America/Panama America/Phoenix America/Puerto_Rico
America/Regina America/Santiago America/Sao_Paulo America/St_Johns America/Tijuana America/Toronto America/Vancouver
Asia/Almaty Asia/Amman Asia/Baghdad Asia/Baku Asia/Bangkok Asia/Beirut Asia/Chongqing Asia/Colombo Asia/Dhaka
Asia/Dubai Asia/Ho_Chi_Minh Asia/Hong_Kong Asia/Irkutsk Asia/Jakarta Asia/Jerusalem Asia/Kabul Asia/Kamchatka
Asia/Karachi Asia/Kathmandu Asia/Kolkata Asia/Krasnoyarsk Asia/Kuala_Lumpur Asia/Kuwait Asia/Magadan Asia/Manila
Asia/Muscat Asia/Novosibirsk Asia/Rangoon Asia/Riyadh Asia/Seoul Asia/Shanghai Asia/Singapore Asia/Srednekolymsk
Asia/Taipei Asia/Tashkent Asia/Tbilisi Asia/Tehran Asia/Tokyo Asia/Ulaanbaatar Asia/Urumqi Asia/Vladivostok
Asia/Yakutsk Asia/Yekaterinburg Asia/Yerevan Atlantic/Azores Atlantic/Canary Atlantic/Cape_Verde Atlantic/Reykjavik
Atlantic/South_Georgia Australia/Adelaide Australia/Brisbane Australia/Darwin Australia/Hobart Australia/Melbourne
Australia/Perth Australia/Sydney Europe/Amsterdam Europe/Athens Europe/Belgrade Europe/Berlin Europe/Bratislava
Europe/Brussels Europe/Bucharest Europe/Budapest Europe/Copenhagen Europe/Dublin Europe/Helsinki Europe/Istanbul
Europe/Kaliningrad Europe/Kyiv Europe/Lisbon Europe/Ljubljana Europe/London Europe/Luxembourg Europe/Madrid
Europe/Malta Europe/Minsk Europe/Moscow Europe/Oslo Europe/Paris Europe/Prague Europe/Riga Europe/Rome Europe/Samara
Europe/Sarajevo Europe/Skopje Europe/Sofia Europe/Stockholm Europe/Tallinn Europe/Vienna Europe/Vilnius
Europe/Volgograd Europe/Warsaw Europe/Zagreb Europe/Zurich Pacific/Apia Pacific/Auckland Pacific/Chatham
Pacific/Fakaofo Pacific/Fiji Pacific/Guadalcanal Pacific/Guam Pacific/Honolulu Pacific/Majuro Pacific/Midway
Pacific/Noumea Pacific/Pago_Pago Pacific/Port_Moresby Pacific/Tongatapu UTC
`
