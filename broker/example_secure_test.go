package broker_test

import (
	"fmt"

	"github.com/leatstream/leat/broker"
)

// A broker that other machines reach: encrypted, with logins, and with rights
// for those who have been given some.
func ExampleListener() {
	b, err := broker.Start(broker.Config{
		Dir: "/var/lib/leat",
		Listeners: []broker.Listener{{
			Address: "0.0.0.0:9093", Advertise: "kafka.example:9093",
			TLS:  &broker.TLS{CertFile: "cert.pem", KeyFile: "key.pem"},
			SASL: []broker.Mechanism{broker.ScramSHA512},
		}},
		Users:      []broker.User{{Name: "admin", Password: "from a file"}},
		Authorizer: &broker.Authorizer{SuperUsers: []string{"User:admin"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
}
