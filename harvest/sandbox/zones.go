package sandbox

import (
	"errors"
	"fmt"
	"time"
)

var errUnknownZone = errors.New("unknown time zone")

// zone loads the zone of a Rails name, which is what user.timezone holds (section 7).
func zone(name string) (*time.Location, error) {
	iana := ianaName(name)
	if iana == "" {
		return nil, fmt.Errorf("%w %q", errUnknownZone, name)
	}
	loc, err := time.LoadLocation(iana)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", errUnknownZone, name, err)
	}
	return loc, nil
}

// ianaName is the table ActiveSupport::TimeZone::MAPPING of Rails; "" for a name that is not in it.
func ianaName(name string) string {
	switch name {
	case "International Date Line West":
		return "Etc/GMT+12"
	case "American Samoa":
		return "Pacific/Pago_Pago"
	case "Midway Island":
		return "Pacific/Midway"
	case "Hawaii":
		return "Pacific/Honolulu"
	case "Alaska":
		return "America/Juneau"
	case "Pacific Time (US & Canada)":
		return "America/Los_Angeles"
	case "Tijuana":
		return "America/Tijuana"
	case "Mountain Time (US & Canada)":
		return "America/Denver"
	case "Arizona":
		return "America/Phoenix"
	case "Chihuahua":
		return "America/Chihuahua"
	case "Mazatlan":
		return "America/Mazatlan"
	case "Central Time (US & Canada)":
		return "America/Chicago"
	case "Saskatchewan":
		return "America/Regina"
	case "Guadalajara", "Mexico City":
		return "America/Mexico_City"
	case "Monterrey":
		return "America/Monterrey"
	case "Central America":
		return "America/Guatemala"
	case "Eastern Time (US & Canada)":
		return "America/New_York"
	case "Indiana (East)":
		return "America/Indiana/Indianapolis"
	case "Bogota":
		return "America/Bogota"
	case "Lima", "Quito":
		return "America/Lima"
	case "Atlantic Time (Canada)":
		return "America/Halifax"
	case "Caracas":
		return "America/Caracas"
	case "La Paz":
		return "America/La_Paz"
	case "Santiago":
		return "America/Santiago"
	case "Asuncion":
		return "America/Asuncion"
	case "Newfoundland":
		return "America/St_Johns"
	case "Brasilia":
		return "America/Sao_Paulo"
	case "Buenos Aires":
		return "America/Argentina/Buenos_Aires"
	case "Montevideo":
		return "America/Montevideo"
	case "Georgetown":
		return "America/Guyana"
	case "Puerto Rico":
		return "America/Puerto_Rico"
	case "Greenland":
		return "America/Godthab"
	case "Mid-Atlantic":
		return "Atlantic/South_Georgia"
	case "Azores":
		return "Atlantic/Azores"
	case "Cape Verde Is.":
		return "Atlantic/Cape_Verde"
	case "Dublin":
		return "Europe/Dublin"
	case "Edinburgh", "London":
		return "Europe/London"
	case "Lisbon":
		return "Europe/Lisbon"
	case "Casablanca":
		return "Africa/Casablanca"
	case "Monrovia":
		return "Africa/Monrovia"
	case "UTC":
		return "Etc/UTC"
	case "Belgrade":
		return "Europe/Belgrade"
	case "Bratislava":
		return "Europe/Bratislava"
	case "Budapest":
		return "Europe/Budapest"
	case "Ljubljana":
		return "Europe/Ljubljana"
	case "Prague":
		return "Europe/Prague"
	case "Sarajevo":
		return "Europe/Sarajevo"
	case "Skopje":
		return "Europe/Skopje"
	case "Warsaw":
		return "Europe/Warsaw"
	case "Zagreb":
		return "Europe/Zagreb"
	case "Brussels":
		return "Europe/Brussels"
	case "Copenhagen":
		return "Europe/Copenhagen"
	case "Madrid":
		return "Europe/Madrid"
	case "Paris":
		return "Europe/Paris"
	case "Amsterdam":
		return "Europe/Amsterdam"
	case "Berlin":
		return "Europe/Berlin"
	case "Bern", "Zurich":
		return "Europe/Zurich"
	case "Rome":
		return "Europe/Rome"
	case "Stockholm":
		return "Europe/Stockholm"
	case "Vienna":
		return "Europe/Vienna"
	case "West Central Africa":
		return "Africa/Algiers"
	case "Bucharest":
		return "Europe/Bucharest"
	case "Cairo":
		return "Africa/Cairo"
	case "Helsinki":
		return "Europe/Helsinki"
	case "Kyiv":
		return "Europe/Kiev"
	case "Riga":
		return "Europe/Riga"
	case "Sofia":
		return "Europe/Sofia"
	case "Tallinn":
		return "Europe/Tallinn"
	case "Vilnius":
		return "Europe/Vilnius"
	case "Athens":
		return "Europe/Athens"
	case "Istanbul":
		return "Europe/Istanbul"
	case "Minsk":
		return "Europe/Minsk"
	case "Jerusalem":
		return "Asia/Jerusalem"
	case "Harare":
		return "Africa/Harare"
	case "Pretoria":
		return "Africa/Johannesburg"
	case "Kaliningrad":
		return "Europe/Kaliningrad"
	case "Moscow", "St. Petersburg":
		return "Europe/Moscow"
	case "Volgograd":
		return "Europe/Volgograd"
	case "Samara":
		return "Europe/Samara"
	case "Kuwait":
		return "Asia/Kuwait"
	case "Riyadh":
		return "Asia/Riyadh"
	case "Nairobi":
		return "Africa/Nairobi"
	case "Baghdad":
		return "Asia/Baghdad"
	case "Tehran":
		return "Asia/Tehran"
	case "Abu Dhabi", "Muscat":
		return "Asia/Muscat"
	case "Baku":
		return "Asia/Baku"
	case "Tbilisi":
		return "Asia/Tbilisi"
	case "Yerevan":
		return "Asia/Yerevan"
	case "Kabul":
		return "Asia/Kabul"
	case "Ekaterinburg":
		return "Asia/Yekaterinburg"
	case "Islamabad", "Karachi":
		return "Asia/Karachi"
	case "Tashkent":
		return "Asia/Tashkent"
	case "Chennai", "Kolkata", "Mumbai", "New Delhi":
		return "Asia/Kolkata"
	case "Kathmandu":
		return "Asia/Kathmandu"
	case "Dhaka":
		return "Asia/Dhaka"
	case "Sri Jayawardenepura":
		return "Asia/Colombo"
	case "Almaty", "Astana":
		return "Asia/Almaty"
	case "Novosibirsk":
		return "Asia/Novosibirsk"
	case "Rangoon":
		return "Asia/Rangoon"
	case "Bangkok", "Hanoi":
		return "Asia/Bangkok"
	case "Jakarta":
		return "Asia/Jakarta"
	case "Krasnoyarsk":
		return "Asia/Krasnoyarsk"
	case "Beijing":
		return "Asia/Shanghai"
	case "Chongqing":
		return "Asia/Chongqing"
	case "Hong Kong":
		return "Asia/Hong_Kong"
	case "Urumqi":
		return "Asia/Urumqi"
	case "Kuala Lumpur":
		return "Asia/Kuala_Lumpur"
	case "Singapore":
		return "Asia/Singapore"
	case "Taipei":
		return "Asia/Taipei"
	case "Perth":
		return "Australia/Perth"
	case "Irkutsk":
		return "Asia/Irkutsk"
	case "Ulaanbaatar":
		return "Asia/Ulaanbaatar"
	case "Seoul":
		return "Asia/Seoul"
	case "Osaka", "Sapporo", "Tokyo":
		return "Asia/Tokyo"
	case "Yakutsk":
		return "Asia/Yakutsk"
	case "Darwin":
		return "Australia/Darwin"
	case "Adelaide":
		return "Australia/Adelaide"
	case "Canberra":
		return "Australia/Canberra"
	case "Melbourne":
		return "Australia/Melbourne"
	case "Sydney":
		return "Australia/Sydney"
	case "Brisbane":
		return "Australia/Brisbane"
	case "Hobart":
		return "Australia/Hobart"
	case "Vladivostok":
		return "Asia/Vladivostok"
	case "Guam":
		return "Pacific/Guam"
	case "Port Moresby":
		return "Pacific/Port_Moresby"
	case "Magadan":
		return "Asia/Magadan"
	case "Srednekolymsk":
		return "Asia/Srednekolymsk"
	case "Solomon Is.":
		return "Pacific/Guadalcanal"
	case "New Caledonia":
		return "Pacific/Noumea"
	case "Fiji":
		return "Pacific/Fiji"
	case "Kamchatka":
		return "Asia/Kamchatka"
	case "Marshall Is.":
		return "Pacific/Majuro"
	case "Auckland", "Wellington":
		return "Pacific/Auckland"
	case "Nuku'alofa":
		return "Pacific/Tongatapu"
	case "Tokelau Is.":
		return "Pacific/Fakaofo"
	case "Chatham Is.":
		return "Pacific/Chatham"
	case "Samoa":
		return "Pacific/Apia"
	}
	return ""
}
