package stream_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/stream"
)

// An app that logs in with tokens of an identity provider.
func ExampleClientCredentials() {
	provider := stream.ClientCredentials{
		TokenURL: "https://login.example/oauth2/token", ClientID: "wordcount", ClientSecret: "from a file",
		Scopes: []string{"kafka"},
	}
	_ = stream.Config{
		ApplicationID: "wordcount", Brokers: []string{"kafka.example:9093"},
		SASL: &stream.SASL{Mechanism: stream.OAuthBearer, Token: provider.Token},
	}
}

func TestConfig_SASL(t *testing.T) {
	token := func(context.Context) (string, time.Time, error) { return "", time.Time{}, nil }
	for want, s := range map[string]*stream.SASL{
		"needs a source of tokens":   {Mechanism: stream.OAuthBearer},
		"takes a user and a passwor": {Mechanism: stream.Plain, Token: token},
	} {
		err := stream.Config{ApplicationID: "a", Brokers: []string{"b:1"}, SASL: s}.Check()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, s := range []*stream.SASL{nil, {Mechanism: stream.Plain, User: "u", Password: "p"}, {Mechanism: stream.OAuthBearer, Token: token}} {
		if err := (stream.Config{ApplicationID: "a", Brokers: []string{"b:1"}, SASL: s}).Check(); err != nil {
			t.Error(err)
		}
	}
}
