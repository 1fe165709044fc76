package handlers

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image/png"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"furrow/ledger"
)

// One-time codes are those of RFC 6238 as all apps know them: six digits of
// SHA-1, new every 30 seconds. Clocks may be a step apart.
const (
	totpStep   = 30 * time.Second
	totpIssuer = "Furrow"
	qrSize     = 240 // pixels
)

// newTOTPSecret returns a secret of 160 random bits, in base32.
func newTOTPSecret(email string) (ledger.Secret, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: totpIssuer, AccountName: email})
	if err != nil {
		return "", fmt.Errorf("make a secret: %w", err)
	}
	return ledger.Secret(key.Secret()), nil
}

// totpCode finds the step whose code was typed, around now.
func totpCode(secret ledger.Secret, typed string, now time.Time) (step int64, fits bool) {
	current := now.Unix() / int64(totpStep/time.Second)
	for _, step := range []int64{current, current - 1, current + 1} {
		fits, err := hotp.ValidateCustom(typed, uint64(step), secret.Reveal(), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && fits {
			return step, true
		}
	}
	return 0, false
}

// sixDigits is a one-time code without the blanks that apps show in it; ok is
// false for everything else.
func sixDigits(typed string) (code string, ok bool) {
	code = strings.Join(strings.Fields(typed), "")
	return code, len(code) == otp.DigitsSix.Length() && strings.Trim(code, "0123456789") == ""
}

// totpQR is what an app scans to know the secret, as a data URL.
func totpQR(secret ledger.Secret, email string) (string, error) {
	address := url.URL{
		Scheme: "otpauth", Host: "totp", Path: "/" + totpIssuer + ":" + email,
		RawQuery: url.Values{"secret": {secret.Reveal()}, "issuer": {totpIssuer}}.Encode(),
	}
	key, err := otp.NewKeyFromURL(address.String())
	if err != nil {
		return "", fmt.Errorf("draw a secret: %w", err)
	}
	image, err := key.Image(qrSize, qrSize)
	if err != nil {
		return "", fmt.Errorf("draw a secret: %w", err)
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, image); err != nil {
		return "", fmt.Errorf("draw a secret: %w", err)
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture.Bytes()), nil
}
