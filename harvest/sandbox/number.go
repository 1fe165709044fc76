package sandbox

import (
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// hundredths is a span of time in hundredths of an hour, the precision that
// Harvest keeps (0.01 h = 36 s).
type hundredths int64

// maxHundredths bounds what a single entry may hold: 9,999.99 hours.
const maxHundredths hundredths = 999_999

// append writes h as Harvest prints decimals: at least one digit after the point.
func (h hundredths) append(b []byte) []byte {
	if h < 0 {
		b = append(b, '-')
		h = -h
	}
	b = strconv.AppendInt(b, int64(h/100), 10)
	b = append(b, '.', byte('0'+h%100/10))
	if last := h % 10; last != 0 {
		b = append(b, byte('0'+last))
	}
	return b
}

// dec returns h as a decimal number of hours.
func (h hundredths) dec() dec { return dec{decimal.New(int64(h), -2)} }

// roundHours rounds a decimal number of hours half away from zero to 0.01 h.
func roundHours(d decimal.Decimal) hundredths {
	return hundredths(d.Round(2).Shift(2).IntPart())
}

// dec is a decimal that prints like Harvest's: a JSON number with at least one
// digit after the point.
type dec struct{ decimal.Decimal }

func newDec(text string) (dec, error) {
	d, err := decimal.NewFromString(text)
	return dec{d}, err
}

func (d dec) append(b []byte) []byte {
	text := d.String()
	b = append(b, text...)
	if !strings.Contains(text, ".") {
		b = append(b, '.', '0')
	}
	return b
}

// MarshalJSON implements json.Marshaler.
func (d dec) MarshalJSON() ([]byte, error) { return d.append(nil), nil }

// appendDec writes a decimal or null.
func appendDec(b []byte, d *dec) []byte {
	if d == nil {
		return append(b, "null"...)
	}
	return d.append(b)
}
