package discovery

import (
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/fsm"
)

func TestDecodeReadsWhatTheStateKeeps(t *testing.T) {
	s, err := Decode(&fsm.Discovery{ID: "eu", Type: "dns", Interval: 6000, Labels: map[string]string{"a": "b"},
		Config: `{"dns":{"name":"hooks.example.com","port":8080},"prefix":"hook","path":"/gate"}`})
	if err != nil || s.DNS.Name != "hooks.example.com" || s.Every() != 6*time.Second || s.prefix() != "hook" || s.Template.Labels["a"] != "b" {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = Decode(&fsm.Discovery{ID: "c", Type: "consul", Config: `{"consul":{"address":"10.0.0.1:8500","service":"hooks","tags":["x"],"passing":true}}`})
	if err != nil || s.Consul.Service != "hooks" || !s.Consul.Passing {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestDecodeTakesTheCertificateOfConsul(t *testing.T) {
	const config = `{"consul":{"address":"consul:8501","scheme":"https","service":"hooks","server_name":"server.dc1.consul"}}`
	s, err := Decode(&fsm.Discovery{ID: "c", Type: "consul", Config: config})
	if err != nil || s.Consul.TLS.ServerName != "server.dc1.consul" {
		t.Errorf("%+v, %v", s, err)
	}
	_, err = Decode(&fsm.Discovery{ID: "c", Type: "consul", Config: strings.Replace(config, "server_name", "ca", 1)})
	if err == nil || !strings.HasPrefix(err.Error(), "consul.tls: ") {
		t.Errorf("a CA that is none: %v", err)
	}
}

func TestDecodeNamesWhatIsWrong(t *testing.T) {
	for config, want := range map[string]string{
		`{"dns":{"name":"a","port":1},"file":{"path":"x"}}`: "one kind",
		`{"dns":{"name":"a","port":1,"nmae":"b"}}`:          "nmae",
		`{"dns":{"name":"a"}}`:                              "dns.port",
		`{}`:                                                "dns.name",
		`{"dns":`:                                           "settings",
	} {
		_, err := Decode(&fsm.Discovery{ID: "d", Type: "dns", Config: config})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", config, err, want)
		}
	}
}
