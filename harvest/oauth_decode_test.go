package harvest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"furrow/ledger"
)

func TestDecodeAccounts(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{
		`{"accounts":[]}`:   0,
		`{"accounts":null}`: 0,
		`{"accounts":[{"id":"9007199254740993","name":"A","product":"harvest"},{"id":2,"name":"B","product":"forecast"},{"id":3,"name":null,"product":"harvest","x":{}}]}`: 2,
		`{"accounts":[{"name":"A","product":"harvest"}]}`: -1,
		`{"accounts":{}}`: -1,
		`{"user":{}}`:     -1,
		`[]`:              -1,
		`{"accounts":[{"id":1.5,"name":"A","product":"harvest"}]}`: -1,
	} {
		got, err := decodeAccounts([]byte(body))
		if (err != nil) != (want < 0) || err == nil && len(got) != want {
			t.Errorf("%s: %v, %v", body, got, err)
		}
		if want == 2 && got[0].ID != 9007199254740993 {
			t.Errorf("id %d", got[0].ID)
		}
	}
}

func TestDecodeToken(t *testing.T) {
	t.Parallel()
	began := time.Now()
	for _, tt := range []struct {
		body string
		want *ledger.TokenPair // without ExpiresAt; nil is an error
	}{
		{`{"access_token":"a","refresh_token":"r","token_type":"bearer","expires_in":1209600}`, &ledger.TokenPair{Access: "a", Refresh: "r", ExpiresIn: 1209600 * time.Second}},
		{`{"access_token":"a","refresh_token":null,"token_type":"Bearer","expires_in":"1209599","scope":"x"}`, &ledger.TokenPair{Access: "a", ExpiresIn: 1209599 * time.Second}},
		{`{"access_token":"a"}`, &ledger.TokenPair{Access: "a"}},
		{`{"access_token":"a","expires_in":-1}`, &ledger.TokenPair{Access: "a"}},
		{`{"access_token":"a","expires_in":1e18}`, &ledger.TokenPair{Access: "a", ExpiresIn: maxTokenLife}},
		{`{"access_token":"a","token_type":"mac"}`, nil},
		{`{"access_token":""}`, nil},
		{`{"access_token":"a b"}`, nil},
		{`{"access_token":"a","refresh_token":"r\n"}`, nil},
		{`{"access_token":["canary"]}`, nil},
		{`{}`, nil},
		{`canary`, nil},
	} {
		got, err := decodeToken([]byte(tt.body), began)
		if (err != nil) != (tt.want == nil) {
			t.Errorf("%s: %v", tt.body, err)
			continue
		}
		if err != nil {
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("error %v", err)
			}
			continue
		}
		if want := *tt.want; want.ExpiresIn > 0 {
			want.ExpiresAt = began.Add(want.ExpiresIn)
			if got != want {
				t.Errorf("%s: %+v", tt.body, got)
			}
		} else if got != want {
			t.Errorf("%s: %+v", tt.body, got)
		}
	}
}

func FuzzDecodeToken(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"1.at.x","refresh_token":"1.rt.y","token_type":"bearer","expires_in":1209600}`,
		`{"access_token":"1.at.x","refresh_token":null,"expires_in":"99999999999999999999"}`, `{"accounts":[{"id":1,"product":"harvest"}]}`, `null`, ``,
	} {
		f.Add([]byte(seed))
	}
	began := time.Now()
	f.Fuzz(func(t *testing.T, body []byte) {
		pair, err := decodeToken(body, began)
		switch {
		case err == nil && (!sendable(pair.Access) || pair.ExpiresIn < 0 || pair.ExpiresIn > maxTokenLife || pair.ExpiresAt.IsZero() != (pair.ExpiresIn == 0)):
			t.Errorf("got %+v", pair)
		case err != nil && pair != (ledger.TokenPair{}):
			t.Error("a pair beside an error")
		}
		choices, err := decodeAccounts(body)
		if err == nil && !json.Valid(body) {
			t.Error("no JSON, no error")
		}
		for _, choice := range choices {
			if choice.ID <= 0 || strings.ContainsRune(choice.Name, 0) {
				t.Errorf("got %+v", choice)
			}
		}
	})
}
